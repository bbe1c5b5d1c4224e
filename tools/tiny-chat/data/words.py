"""Word lists and made-up words. Everything here is our own writing.

Every list is cut in two by a hash of its entries: the model is trained on one part and evaluated on the other, so that the
evaluation asks for copying and understanding, not for memory. `pick(rng, LIST, split)` draws from the part of a split.
"""

import os
import zlib

def held_out(text: str, share: int) -> bool:
    """One entry of so many is kept for the evaluation."""
    return zlib.crc32(text.encode()) % share == 0


# The first leg of the training keeps words and wordings back, so that its own check is honest; the second learns all of them. What the
# evaluation in C# says was never in either.
_HOLD_OUT = os.environ.get("TINY_CHAT_LEG", "1") == "1"


def part(values, split):
    share = 40 if len(values) > 100 else 16    # short lists are wordings
    if split == "train" and not _HOLD_OUT:
        return list(values)
    chosen = [v for v in values if held_out(str(v), share) == (split == "eval")]
    return chosen or list(values)


_PARTS = {}


def pick(rng, values, split):
    key = (id(values), split)
    if key not in _PARTS:
        _PARTS[key] = part(values, split)
    return rng.choice(_PARTS[key])


def some(rng, values, split, count):
    key = (id(values), split)
    if key not in _PARTS:
        _PARTS[key] = part(values, split)
    return rng.sample(_PARTS[key], min(count, len(_PARTS[key])))


FIRST_NAMES = """Ada Adam Aisha Alan Alba Alex Alice Amara Amir Ana Anders Andrea Anna Anton Arthur Astrid Aya Bea Ben Bianca Boris Bruno Carla
Carlos Carmen Cecilia Chen Chiara Clara Claude Cora Dana Daniel Daria David Diego Dina Dora Edgar Edith Elena Eli Elias Elif Elsa Emil Emily
Emma Enzo Erik Erin Eva Fatima Felix Fiona Frank Frida Gabriel George Gina Giulia Grace Greta Gustav Hana Hannah Harold Hassan Heidi Helen
Henry Hugo Ida Igor Ines Ingrid Irene Iris Isaac Ivan Jack Jacob Jamal Jan Jane Jasmin Joan Joel John Jonas Jose Julia Julian June Kai
Kamal Karen Karim Karl Kate Kenji Kira Klara Lara Lars Laura Layla Lea Leo Leila Lena Leon Liam Lidia Lily Lina Linus Lisa Louis Lucas
Lucia Lucy Luis Luna Maia Malik Marco Maria Marie Mario Marta Martin Mary Matteo Maya Mei Mia Michael Mila Milo Mina Mira Mona Nadia
Naomi Nathan Nico Nina Noah Noor Nora Oliver Olga Omar Oscar Otto Pablo Paul Paula Pedro Peter Petra Philip Pia Priya Rafael Rania Raul
Ravi Rita Robert Robin Rosa Ruth Sam Samir Sara Sasha Selma Simon Sofia Sonia Stella Stefan Sven Tara Teo Theo Thomas Tim Tina Tom Uma
Ursula Vera Victor Viola Walter Wanda Wei Will Yara Yasmin Yuki Yusuf Zara Zoe""".split()

LAST_NAMES = """Adler Ahmed Almeida Andersen Archer Baker Barnes Becker Bell Berg Bishop Blake Bond Brandt Brooks Brown Burke Campbell Carter
Castro Chang Clark Cohen Cole Costa Cruz Dahl Dalton Davis Diaz Dixon Dubois Duran Ellis Evans Ferrari Fischer Fisher Flores Ford Foster Fox
Frank Garcia Gibson Gomez Gray Green Greene Gupta Haas Hall Hansen Hart Hayes Hill Hoffman Holm Holt Howard Hughes Hunt Ibrahim Ito Jensen
Johnson Jones Kaplan Kaya Keller Kelly Khan Kim King Klein Knight Koch Kovacs Kumar Lang Larsen Lee Lewis Lin Lindgren Lopez Lund Marin
Marsh Martin Mason Mendes Meyer Miller Mills Moore Morales Moreau Morgan Moss Murphy Myers Nash Nelson Neumann Newman Nguyen Nilsen Novak
Olsen Ortiz Osman Owens Page Park Parker Patel Pearson Perez Peters Petrov Pierce Porter Price Quinn Ramos Reed Reyes Rice Rivera Roberts
Romano Rossi Roth Russo Ryan Santos Sato Schmidt Schneider Scott Shah Sharp Silva Simmons Singh Smith Snow Sousa Stein Stone Strand Suzuki
Tanaka Taylor Torres Turner Vance Vargas Vogel Wagner Walker Walsh Wang Ward Watson Weber Webb West White Wolf Wood Wright Wu Yamada Yang
Young Zhang Ziegler""".split()

CITIES = """Aarhus Accra Adelaide Algiers Amman Amsterdam Ankara Antwerp Athens Atlanta Auckland Austin Baghdad Baku Baltimore Bangkok Barcelona Basel
Beijing Beirut Belfast Belgrade Bergen Berlin Bern Bilbao Birmingham Bogota Bologna Bonn Bordeaux Boston Bremen Brisbane Bristol Brno
Brussels Bucharest Budapest Cairo Calgary Canberra Caracas Cardiff Casablanca Chennai Chicago Cologne Copenhagen Cork Cusco Dakar Dallas
Damascus Davos Delhi Denver Detroit Dhaka Doha Dresden Dubai Dublin Durban Edinburgh Florence Frankfurt Freiburg Galway Gdansk Geneva Genoa
Ghent Glasgow Graz Grenoble Hamburg Hanoi Harare Havana Helsinki Hobart Houston Istanbul Izmir Jakarta Jerusalem Johannesburg Kabul Karachi
Kiel Kigali Kingston Krakow Kyoto Lagos Lahore Leeds Leipzig Lima Linz Lisbon Liverpool Ljubljana London Lucerne Luxembourg Lyon Madrid
Malaga Malmo Manchester Manila Marrakesh Marseille Melbourne Memphis Miami Milan Minsk Montevideo Montreal Moscow Mumbai Munich Nairobi
Nantes Naples Nashville Nice Nicosia Odense Oporto Orlando Osaka Oslo Ottawa Oxford Palermo Paris Parma Perth Philadelphia Phoenix Pisa
Portland Prague Pretoria Quebec Quito Rabat Reykjavik Riga Rome Rotterdam Salzburg Santiago Sapporo Sarajevo Seattle Seoul Seville Shanghai
Singapore Skopje Sofia Split Stavanger Stockholm Strasbourg Stuttgart Sydney Taipei Tallinn Tampere Tangier Tbilisi Tehran Tirana Tokyo
Toledo Toronto Toulouse Trieste Tromso Tunis Turin Uppsala Utrecht Valencia Vancouver Venice Verona Vienna Vilnius Warsaw Wellington
Winnipeg York Zagreb Zurich""".split() + [
    "New York", "Los Angeles", "San Francisco", "San Diego", "Las Vegas", "New Orleans", "Mexico City", "Buenos Aires", "Rio de Janeiro",
    "Sao Paulo", "Cape Town", "Addis Ababa", "Hong Kong", "Kuala Lumpur", "Ho Chi Minh City", "Abu Dhabi", "Tel Aviv", "St. Gallen", "The Hague",
    "Salt Lake City", "Novi Sad", "Le Havre", "San Sebastian", "Port Louis", "Santa Fe"]

ANIMALS = """ant badger bat bear beaver bee bison buffalo camel cat cheetah cow crab crane crow deer dog dolphin donkey dove duck eagle eel elephant elk
falcon ferret finch fish fox frog gecko giraffe goat goose gorilla hamster hare hawk hedgehog heron horse hyena jackal jaguar kangaroo koala
lark lemur leopard lion lizard llama lynx mole monkey moose moth mouse mule newt octopus otter owl ox panda panther parrot pelican penguin
pig pony puma quail rabbit raccoon rat raven rhino robin salmon seal shark sheep shrimp skunk sloth snail snake sparrow spider squid squirrel
stork swan tiger toad trout turkey turtle viper walrus wasp weasel whale wolf wombat yak zebra""".split()

FRUITS = """apple apricot avocado banana blueberry cherry coconut cranberry date fig grape grapefruit guava kiwi lemon lime lychee mango melon mulberry
nectarine olive orange papaya peach pear persimmon pineapple plum pomegranate quince raspberry strawberry tangerine""".split()

FOODS = """bread butter cheese rice pasta soup salad stew beans lentils potatoes carrots onions tomatoes peppers mushrooms spinach yogurt honey jam
noodles dumplings pancakes waffles porridge pizza curry tofu chicken salmon eggs milk coffee tea juice sugar flour salt oil vinegar""".split()

COLORS = "red blue green yellow orange purple pink brown black white grey silver gold violet turquoise beige crimson indigo teal maroon navy olive".split()

OBJECTS = """bag ball bench bicycle book bottle bowl box brush bucket button camera candle card chair clock coat coin cup curtain desk door drum fan fork
glove guitar hammer hat helmet jacket jar kettle key knife ladder lamp lantern letter lock map mask mirror mug needle notebook oven paint pan
pen pencil phone piano picture pillow plate pot printer puzzle radio ring rope rug saw scarf scissors shelf shirt shoe shovel sofa spoon stamp
stove suitcase sweater table tent ticket towel toy umbrella vase violin wallet watch wheel whistle window""".split()

HOBBIES = """painting hiking chess cooking gardening sailing climbing reading dancing running swimming knitting pottery fishing photography baking cycling
skiing singing writing birdwatching archery origami surfing juggling astronomy carpentry weaving camping rowing""".split()

JOBS = """baker nurse teacher pilot carpenter plumber doctor farmer engineer painter librarian lawyer musician dentist chef driver gardener journalist
architect electrician barber tailor sailor photographer translator mechanic accountant firefighter vet actor""".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = "January February March April May June July August September October November December".split()

TOPICS = """the history of tea|solar panels|how bridges are built|the migration of birds|cheap flights|the rules of chess|healthy breakfasts|electric cars
|the price of gold|local news|how to grow tomatoes|ancient Rome|the tallest mountains|vegan recipes|train timetables|volcanoes|the moon landing|learning Spanish
|the best hiking trails|how rainbows form|used bicycles|coffee beans|jazz music|the speed of light|wind energy|classic novels|knitting patterns|stock markets
|football results|the life of bees|how glass is made|deep sea fish|modern art|home insulation|polar bears|street food|meditation|medieval castles|robot vacuum cleaners
|the water cycle|how to tie a tie|sourdough bread|garden birds|space telescopes|cold remedies|public holidays|board games|the invention of paper|river cruises
|how magnets work|snow conditions|film festivals|open source licences|the origin of pizza|rain forests|desert plants|old maps|yoga for beginners|opera singers
|how clocks work|noise cancelling headphones|school holidays|museum opening hours|the northern lights|steam engines|folk dances|tide tables|how soap is made
|mountain huts|road closures|famous lighthouses|bread prices|new planets|winter tyres|flower markets|cave paintings|language exams|night trains""".replace("\n", "").split("|")

CHORES = """call the dentist|water the plants|pay the rent|buy milk|take out the trash|feed the cat|send the report|book a table|pick up the kids|call mum
|renew the passport|wash the car|return the library books|charge the phone|clean the kitchen|walk the dog|order a cake|check the oven|fix the bike|reply to the landlord
|print the tickets|back up the laptop|iron the shirt|buy stamps|visit grandma|sign the contract|pack the suitcase|cancel the gym|defrost the freezer|submit the tax form
|collect the parcel|turn off the heating|stretch for ten minutes|drink some water|review the slides|mow the lawn|change the bed sheets|buy a birthday card|update the budget
|take the medicine|lock the back door|water the tomatoes|call the plumber|empty the dishwasher|charge the camera|bring an umbrella|read two chapters|practise the piano
|send the invoice|meet the new neighbour|replace the light bulb|book the train|feed the fish|test the smoke alarm|write to aunt Rosa|prepare the meeting""".replace("\n", "").split("|")

VERBS_OF_CHORES = """buy|sell|clean|wash|repair|paint|order|return|collect|bring|find|check|move|fold|pack|charge|print|scan|sign|renew|cancel|book|prepare|cook|bake|empty|fill|lock|open|close|feed|walk|visit|call|email|thank|invite|meet|help|hang up|pick up|drop off|throw away|put away|look for|pay for|ask about|talk about|write about|read about|finish|start|plan|measure|polish|sharpen|dust|water|replace""".split("|")

# Common words, so that reading, copying, spelling and upper case meet many.
COMMON = """able above accept accident account across act action active actor add address adult advice afraid afternoon again age air airport alarm album alive allow alone along already always amount anchor ancient angle angry
animal ankle answer apartment appear appetite arch area argue arm army around arrange arrive arrow art ask asleep attach attack attempt attic autumn avenue average avoid awake award away awful baby back backpack badge bakery
balance balcony band bank barn barrel base basket bath battery bay beach beam bean beard beautiful because become bed before begin behave behind believe belong below belt bend beside best better between beyond bike bill bird
birth birthday bite bitter blanket blind block blood blow board boat body bone border boring born borrow boss both bottom bounce boy brain branch brave break breakfast breath brick bridge bright brilliant bring broad brother
bubble budget build building bullet bunch burn bus bush business busy buy cabin cable cafe cage cake calendar calm camp canal cancel capital captain car care careful carpet carry cart cartoon case cash castle catch cause cave
ceiling cell center century certain chain chance change channel chapter charge cheap cheerful child chimney chip choice church cinema circle city claim class clay clean clear clever climb clinic cloth clothes cloud clown club
coach coast code cold collar collect college comb come comfort common company compare compass complain concert cook cool copper copy corner correct cost cottage cotton cough count country couple courage course cousin cover
cradle craft cream create crew crime crop cross crowd crown cry cure curious curve custom cut cycle daily damage damp dance danger dark date daughter dead deal dear death debt decide deep delay deliver dentist depart depend desert
design detail dial diamond diary dictionary die diet difference difficult dinner dirty discover dish distance dive divide doctor dollar double doubt draw dream dress drink drive drop dry dull dust duty each eager ear early earn
earth east easy echo edge effort egg eight elbow eleven empty end enemy energy engine enjoy enough enter equal error escape evening event evil exact example excuse exercise exit expect expert explain extra eye fabric face fact
factory fail fair fairy faith fall false fame family famous farm fast father fault favor fear feather feed feel fence festival fever field fifteen fight fill film final find fine finger finish fire first five fix flag flame flash
flat flavor flight float flood floor flour flow flower fluid fly focus fold follow foot force forest forget forgive form fortune forward four frame free freeze fresh friend frost frozen full fun funny fur future gallery game
garage garden garlic gas gate gather general gentle ghost giant gift girl give glad glass globe glory glue goal good gossip grain grand grandmother grape grass grave gravity great greet ground group grow guard guess guest guide
guilty habit hair half hall hand handle hang happen happy harbor hard harvest haste hate head heal health hear heart heat heaven heavy height hello hero hide high hill hint history hold hole holiday hollow home honest honor hope
hospital host hot hotel hour house huge human humble hundred hunger hunt hurry hurt husband ice idea idle ill imagine important inch income infant ink insect inside invite iron island item jail jewel job join joke journey joy
judge jump jungle jury just keen keep keyboard kick kid kind king kingdom kiss kitchen kite knee knock knot knowledge laboratory lace lady lake land language large last late laugh laundry law lawn lazy lead leaf learn leather leave
left leg legend lemonade length lesson lie life lift light lightning like limit line lip liquid list listen little live load loaf loan local lonely long look loose lose loud love low loyal luck lucky luggage lunch lung machine
magazine magic magnet mail main make man manage manner many marble march margin mark market marriage master match math matter meal mean measure meat medal medicine medium meet melody melt member memory mend menu mercy merry message
metal method middle midnight mild mile mill mind mine mineral minute miracle miss mistake mix mobile model modern moment money month mood moon morning mother motion motor mountain mouth move movie mud muscle museum music mystery
nail narrow nation nature neat neck needle neighbor nephew nerve nest network never new news nice niece night nine noble noise none noon north nose note nothing notice novel number nurse oak object ocean odd offer office often
oil old open opera opinion orbit orchard orchestra order organ other oval own oxygen pack package page pain pair palace pale palm paper parade parcel parent park part partner party pass passenger past path patience patient pattern
pause pay peace peak pen penny people pepper perfect period permit person pet picnic piece pillow pilot pin pipe pirate pity place plain plan planet plant plastic plate play please plenty pocket poem poet point poison pole police
polite pond pool poor popular porch port position post pour powder power practice praise pray prepare present press pretty price pride prince princess print prison private prize problem program promise proof proud prove public
pull pump punish pupil pure purpose purse push quality quantity quarter queen question quick quiet quilt quite race rail rain rainbow raise range rapid rare rate raw ray reach read ready real reason receive recipe record refuse
region regret relax rely remain remember remove rent repair repeat reply report rescue rest result return reward rhyme rhythm rib ribbon rich ride right ripe rise risk river road roast rob rock rocket role roll roof room root
rough round route row royal rub rubber rude ruin rule run rush sack sad saddle safe sail salad sale salt same sand sandwich satin sauce save scale scene school science scissors score scratch screen sea search season seat second
secret see seed seem seldom select self sell send sense separate serious serve settle seven several sew shade shadow shake shallow shame shape share sharp shed sheet shell shelter shine ship shock shoot shop shore short shoulder
shout show shower shut shy sick side sight sign signal silence silk simple since sing single sink sister sit six size skill skin skirt sky sleep slice slide slight slip slope slow small smart smell smile smoke smooth social sock
soft soil soldier solid solve son song soon sorry sound soup sour south space spare speak special speed spell spend spice spin spirit spot spread spring square stable stage stair stand star start state station statue stay steady
steal steam steel steep stem step stick stiff still stomach stop storm story straight strange stranger straw stream street strength stretch string strong student study subject success sudden suffer suggest suit summer sun sunset
supper sure surface surprise swallow sweep sweet swim swing sword symbol table tail take tale talent talk tall tape task taste tax taxi teach team tear telephone television temple ten tent term test text theater theory thick thief
thin thing think third thirsty thousand thread three throat throne throw thumb thunder tide tidy tie tight tin tiny tired title today toe together toilet tomato tomorrow ton tongue tool tooth top total touch tough tour tower town
trade tradition traffic trail train trap travel treasure treat tree tremble trial tribe trick trip trouble truck true trumpet trunk trust truth try tube tune tunnel turn twelve twenty twice twin two type ugly uncle under uniform
union unit upset urgent useful usual valley value van vegetable verb very view village violet visit voice volcano volume vote voyage wage wagon waist wait wake walk wall war warm warn wash waste watch water wave wax way weak wealth
weather wedding week weigh weight welcome well west wet wheat wheel whisper white wide wife wild win wind wine wing winter wire wise wish witch witness woman wonder wood wool word work world worm worry worth wound wrap wrist write
wrong yard year yellow yesterday young youth zero zone algorithm browser compiler computer database desktop download editor folder internet keyboard kernel laptop library memory monitor package password pixel processor program
robot router server software string thread upload variable vector window""".split()
COMMON = list(dict.fromkeys(COMMON))

BANDS = "a brown fox|the small boat|green tea|a rainy morning|fresh bread|old friends|the last train|seven bridges|a quiet room|blue mountains|the first snow|an open window|silver keys|a long road|paper planes|the night shift|wild roses|two black cats|a warm coat|bright stars".split("|")

_ONSETS = "b br bl c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sm sn sp st str t th tr v w y z".split()
_VOWELS = ["a", "e", "i", "o", "u"] * 3 + "ai ea ee ia io oa oo ou y".split()
_CODAS = [""] * 6 + "b ck d f g k l ll m n nd ng nk nt p r rd rk rn rt s sh sk ss st t th x z".split()


# Tokens that are small letters, and those that begin with a capital: `learn` fills them, so that every token of the vocabulary is copied in training.
PIECES, CAPITALS = [], []


def learn(vocabulary):
    """vocabulary: tokens as text, in the order of their ids."""
    PIECES[:] = [t for t in vocabulary if t.isascii() and t.isalpha() and t.islower()]
    CAPITALS[:] = [t for t in vocabulary if t.isascii() and t.isalpha() and t[0].isupper() and (len(t) == 1 or t[1:].islower())]


def made_up(rng, syllables=None) -> str:
    """A word that nobody has seen, so that it can only be copied."""
    way = rng.random()
    if way > 0.68 and PIECES:
        word = rng.choice(PIECES)
        if rng.random() < 0.45 or len(word) == 1:
            word += rng.choice(PIECES)
        return word if len(word) > 1 or rng.random() < 0.2 else word + "en"
    if way < 0.3:
        # The beginning of one word and the end of another: pieces as real words have them.
        a, b = rng.choice(COMMON), rng.choice(COMMON)
        return a[:rng.randrange(1, min(len(a), 6) + 1)] + b[-rng.randrange(1, min(len(b), 6) + 1):]
    n = syllables or rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if i == n - 1 or rng.random() < 0.15 else "") for i in range(n))


def code(rng) -> str:
    """A code such as A7-449."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    form = rng.randrange(6)
    if form == 0:
        return "".join(rng.choice(letters) for _ in range(2)) + str(rng.randrange(100, 10_000))
    if form == 1:
        return f"{rng.choice(letters)}{rng.randrange(10)}-{rng.randrange(100, 1000)}"
    if form == 2:
        return "".join(rng.choice(letters + "0123456789") for _ in range(6))
    if form == 3:
        return "".join(rng.choice(letters) for _ in range(rng.choice((1, 2, 3)))) + "-" + str(rng.randrange(10, 100_000))
    if form == 4:
        return rng.choice(letters) + str(rng.randrange(1, 1000))
    return f"{rng.randrange(1000, 10_000)}-{rng.choice(letters)}"


def named(rng) -> str:
    """A made-up name."""
    if CAPITALS and rng.random() < 0.35:
        word = rng.choice(CAPITALS)
        return word if len(word) > 3 and rng.random() < 0.5 else word + rng.choice(PIECES)
    return made_up(rng).capitalize()


def first_name(rng, split) -> str:
    return named(rng) if rng.random() < 0.25 else pick(rng, FIRST_NAMES, split)


def last_name(rng, split) -> str:
    return named(rng) if rng.random() < 0.3 else pick(rng, LAST_NAMES, split)


def person(rng, split) -> str:
    return f"{first_name(rng, split)} {last_name(rng, split)}" if rng.random() < 0.5 else first_name(rng, split)


def city(rng, split) -> str:
    way = rng.random()
    return pick(rng, CITIES, split) if way < 0.72 else named(rng) if way < 0.95 else f"{rng.choice(('New', 'Port', 'San', 'Saint', 'Bad', 'Los', 'North', 'Upper'))} {made_up(rng).capitalize()}"


def any_word(rng, split) -> str:
    if rng.random() < 0.45:
        return pick(rng, COMMON, split)
    return pick(rng, rng.choice((ANIMALS, FRUITS, FOODS, COLORS, OBJECTS, HOBBIES, JOBS)), split)


def thing(rng, split) -> str:
    """What one may hold, buy or lose."""
    return pick(rng, rng.choice((OBJECTS, OBJECTS, ANIMALS, FRUITS, FOODS)), split) if rng.random() < 0.8 else made_up(rng)


def chore(rng, split) -> str:
    if rng.random() < 0.35:
        return pick(rng, CHORES, split)
    what = rng.choice((f"the {thing(rng, split)}", f"a {thing(rng, split)}", f"the {pick(rng, COLORS, split)} {pick(rng, OBJECTS, split)}", f"{pick(rng, FIRST_NAMES, split)}'s {thing(rng, split)}", f"my {pick(rng, OBJECTS, split)}",
                       f"{rng.randrange(2, 30)} {pick(rng, OBJECTS, split)}s", first_name(rng, split), f"the {any_word(rng, split)} {pick(rng, COMMON, split)}"))
    if rng.random() < 0.12:
        text = f"{rng.choice(('put', 'bring', 'pull', 'carry', 'let', 'send', 'hand', 'turn', 'lay', 'throw', 'give', 'drive', 'lift'))} {what} {rng.choice(('out', 'up', 'down', 'back', 'away', 'off', 'in', 'over', 'inside', 'upstairs'))}"
    else:
        text = f"{pick(rng, VERBS_OF_CHORES, split)} {what}"
    return text + (rng.choice((f" for {first_name(rng, split)}", f" with {first_name(rng, split)}", f" in {city(rng, split)}", " before lunch", " after work", " at home", " in the garden")) if rng.random() < 0.2 else "")


def topic(rng, split) -> str:
    way = rng.random()
    if way < 0.25:
        return pick(rng, TOPICS, split)
    if way < 0.4:
        return f"{rng.choice(('', '', 'the ', rng.choice(ADJECTIVES) + ' '))}{noun(rng, split)}{rng.choice(('', 's'))} {rng.choice(PREPOSITIONS)} {rng.choice(('', 'the ', 'a ', rng.choice(ADJECTIVES) + ' '))}{noun(rng, split)}"
    if way < 0.5:
        return f"{pick(rng, COLORS, split)} {pick(rng, OBJECTS, split)}s"
    if way < 0.65:
        return f"{rng.choice(('the best', 'cheap', 'the nearest', 'good', 'new', 'famous', 'the history of', 'the price of', 'the oldest'))} {any_word(rng, split)} {rng.choice(('in', 'of', 'near', 'from'))} {city(rng, split)}"
    if way < 0.8:
        return f"{rng.choice(('how to', 'the best way to', 'tips to', 'where to', 'when to'))} {chore(rng, split)}"
    return f"{made_up(rng)} {any_word(rng, split)}" if rng.random() < 0.5 else f"{any_word(rng, split)} {any_word(rng, split)}"


PAST = """sat|slept|waited|stood|fell|ran|jumped|turned|opened|closed|stopped|started|arrived|left|sang|danced|burned|broke|grew|froze|melted|shone|rang|barked|smiled|laughed|cried|worked|played|walked|moved|swam|flew|landed|disappeared|returned|hid|woke up|lay|stayed""".split("|")
DID = """bought|sold|found|lost|saw|heard|took|gave|brought|carried|painted|repaired|washed|opened|closed|built|broke|ate|drank|cooked|wrote|read|sent|caught|kept|hid|cut|threw|pushed|pulled|cleaned|counted|watched|followed|forgot|ordered|borrowed|made|wanted|liked""".split("|")
DOES = """is|was|looks|seems|stays|has been|will be|became|must be|feels|is never|is always|was not""".split("|")
ADJECTIVES = """old|new|small|big|red|blue|green|white|black|long|short|warm|cold|wet|dry|quiet|loud|heavy|light|empty|full|open|closed|broken|clean|dirty|fresh|tired|hungry|happy|sad|early|late|round|flat|sharp|soft|hard|sweet|bitter|narrow|wide|deep|strange|famous|yellow|brown|silver|golden|wooden|young|wild|calm|bright|dark|kind|brave|clever|lazy|rich|poor""".split("|")
PREPOSITIONS = "in|on|under|behind|near|over|beside|from|with|without|before|after|between|into|through|across|around|by|at|to|for|of".split("|")
WHEN = "today|yesterday|tomorrow|at night|in the morning|every day|last week|on Monday|in winter|again|now|soon|twice a year|after lunch|all day|in the evening|on time|at noon".split("|")
COUNTED = "two|three|four|five|six|seven|eight|nine|ten|some|many|all|most|no|a few|several".split("|")


def noun(rng, split):
    return pick(rng, rng.choice((OBJECTS, ANIMALS, COMMON, COMMON, FRUITS, FOODS, JOBS)), split)


def some_noun(rng, split):
    """A noun with what stands before it."""
    way = rng.random()
    adjective = rng.choice(ADJECTIVES) + " " if rng.random() < 0.4 else ""
    if way < 0.62:
        word = adjective + noun(rng, split)
        before = rng.choice(("the", "the", "the", "a", "my", "your", "our", "this", "that", "her", "his", "their", "every"))
        return ("an" if before == "a" and word[0] in "aeiou" else before) + " " + word
    if way < 0.8:
        return f"{rng.choice(COUNTED) if rng.random() < 0.7 else rng.randrange(2, 100)} {adjective}{noun(rng, split)}s"
    return first_name(rng, split) if way < 0.93 else f"{first_name(rng, split)}'s {noun(rng, split)}"


def sentence(rng, split):
    """Plain English of no matter: to be copied, repeated, read past."""
    way, subject = rng.randrange(7), some_noun(rng, split)
    if way == 0:
        text = f"{subject} {rng.choice(PAST)} {rng.choice(PREPOSITIONS)} {some_noun(rng, split)}"
    elif way == 1:
        text = f"{subject} {rng.choice(DID)} {some_noun(rng, split)}"
    elif way == 2:
        text = f"{subject} {rng.choice(DOES)} {rng.choice(ADJECTIVES)}"
    elif way == 3:
        text = f"{subject} {rng.choice(('has', 'had', 'needs', 'wants', 'likes', 'is', 'was', 'knows', 'loves'))} {some_noun(rng, split)}"
    elif way == 4:
        text = f"{rng.choice(('never', 'always', 'please', 'do not', 'now', 'first', 'you must', 'I will', 'we can', 'they', 'I', 'we', 'you', 'she', 'he'))} {pick(rng, VERBS_OF_CHORES, split)} {some_noun(rng, split)}"
    elif way == 5:
        text = f"{subject} {rng.choice(PREPOSITIONS)} {some_noun(rng, split)}"
    else:
        text = f"{subject} {rng.choice(DOES)} {rng.choice(PREPOSITIONS)} {city(rng, split) if rng.random() < 0.6 else some_noun(rng, split)}"
    if rng.random() < 0.2:
        text += " " + rng.choice(WHEN)
    if rng.random() < 0.1:
        text += rng.choice((" and ", ", but ", " because ", " when ", ", ")) + f"{some_noun(rng, split)} {rng.choice(PAST)}"
    if rng.random() < 0.6:
        text = text[0].upper() + text[1:]
    return text + rng.choice((".", ".", "", "", "!", "?"))


_ENDS = {}


def _alternatives(pattern, at):
    """Ends of the bracket that opens at a place, and where its parts are."""
    key = (pattern, at)
    if key not in _ENDS:
        depth, parts, start = 0, [], at + 1
        for i in range(at, len(pattern)):
            c = pattern[i]
            if c == "[":
                depth += 1
            elif c == "]":
                depth -= 1
                if depth == 0:
                    parts.append(pattern[start:i])
                    _ENDS[key] = (i + 1, parts)
                    break
            elif c == "|" and depth == 1:
                parts.append(pattern[start:i])
                start = i + 1
    return _ENDS[key]


def say(rng, pattern) -> str:
    """One of the sentences that a pattern stands for: [a|b|] is one of its parts, which may hold brackets too."""
    at = pattern.find("[")
    if at < 0:
        return pattern
    end, parts = _alternatives(pattern, at)
    return pattern[:at] + say(rng, rng.choice(parts)) + say(rng, pattern[end:])


NUMBERS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty".split()
TENS = {30: "thirty", 40: "forty", 50: "fifty", 60: "sixty", 70: "seventy", 80: "eighty", 90: "ninety", 100: "one hundred"}


def spoken_number(rng, value) -> str:
    """A number as people write it: sometimes in words."""
    if isinstance(value, int) and rng.random() < 0.2:
        return NUMBERS[value] if 0 < value <= 20 else TENS.get(value, str(value))
    return str(value)


_BEFORE = ["Hi, ", "Hello! ", "Hey, ", "Hey! ", "Please: ", "OK, ", "Now ", "So, ", "Quick question: ", "One more thing: ", "Thanks. ", "Listen, ", "Good morning! ", "I am back. ", "Well, ", "And now: ", "Next: ", "Hey there, ", "Sorry, ", "Good evening. "]
_AFTER = [" Thanks!", " Thank you.", " please", " Please.", " Thanks in advance.", " for me", " It is urgent.", " I am curious.", " Be quick.", " if you can", " now", " today", " Cheers"]
_ASKING = ["[Could|Can|Would|Will] you [please |kindly |]{}?", "[Please|Kindly] {}.", "I [want|need|would like] you to {}.", "I [want|need|have|would like] to {}.", "[Let us|Let's] {}.", "Help me to {}.", "{}.", "{}", "{}!", "{}, please.", "{}, would you?", "Can I ask you to {}?",
           "It is time to {}.", "I [must|should|have to] {}.", "Your job: {}.", "Be so kind and {}.", "Try to {}.", "Go ahead and {}.", "You should {}."]


def request(rng, pattern) -> str:
    """A request from a pattern. One that begins with a small letter is an order and is put in some polite or less polite form; others are sentences already. Values stay as {0}, {1}."""
    text = say(rng, pattern)
    if text[0].islower():
        frame = say(rng, rng.choice(_ASKING)) if rng.random() < 0.7 else rng.choice(("{}.", "{}", "{}, please."))
        text = frame.replace("{}", text, 1)
        text = text[0].upper() + text[1:]
    way = rng.random()
    if way < 0.1:
        before = rng.choice(_BEFORE)
        text = before + (text if before[-2] in "!." or text[:2] in ("I ", "I'") or text[0] == "{" else text[0].lower() + text[1:])
    elif way < 0.17:
        after = rng.choice(_AFTER)
        if after[1].isupper():
            text = text + ("" if text[-1] in ".?!" else ".") + after
        elif text[-1] in ".?!":
            text = text[:-1] + after + text[-1]
        else:
            text += after
    elif way < 0.24:
        text = text.rstrip(".?!")
        text = text if text[:2] in ("I ", "I'") else text[0].lower() + text[1:]
    return tidy(text)


def tidy(text) -> str:
    """Without the spaces that parts left empty leave behind."""
    while "  " in text:
        text = text.replace("  ", " ")
    return text.replace(" ?", "?").replace(" .", ".").replace(" !", "!").replace(" ,", ",").strip()
