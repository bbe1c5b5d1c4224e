"""Word lists and made-up words. Everything here is our own writing.

Every list is cut in two by a hash of its entries: the model is trained on one part and evaluated on the other, so that the
evaluation asks for copying and understanding, not for memory. `pick(rng, LIST, split)` draws from the part of a split.
"""

import zlib

def held_out(text: str, share: int) -> bool:
    """One entry of so many is kept for the evaluation."""
    return zlib.crc32(text.encode()) % share == 0


def part(values, split):
    share = 12 if len(values) > 100 else 6    # short lists are wordings, of which the evaluation needs several
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

_ONSETS = "b br bl c ch cl cr d dr f fl fr g gl gr h j k kl kr l m n p pl pr qu r s sh sk sl sm sn sp st str t th tr v w y z".split()
_VOWELS = "a e i o u ai ea ee ia io oa oo ou".split()
_CODAS = [""] * 6 + "b ck d f g k l ll m n nd ng nk nt p r rd rk rn rt s sh sk ss st t th x z".split()


def made_up(rng, syllables=None) -> str:
    """A word that nobody has seen, so that it can only be copied."""
    n = syllables or rng.choice((1, 2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if i == n - 1 else "") for i in range(n))


def code(rng) -> str:
    """A code such as A7-449."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    form = rng.randrange(4)
    if form == 0:
        return "".join(rng.choice(letters) for _ in range(2)) + str(rng.randrange(100, 10_000))
    if form == 1:
        return f"{rng.choice(letters)}{rng.randrange(10)}-{rng.randrange(100, 1000)}"
    if form == 2:
        return "".join(rng.choice(letters + "0123456789") for _ in range(6))
    return f"{rng.randrange(1000, 10_000)}-{rng.choice(letters)}"


def person(rng, split) -> str:
    return f"{pick(rng, FIRST_NAMES, split)} {pick(rng, LAST_NAMES, split)}" if rng.random() < 0.5 else pick(rng, FIRST_NAMES, split)


def any_word(rng, split) -> str:
    return pick(rng, rng.choice((ANIMALS, FRUITS, FOODS, COLORS, OBJECTS, HOBBIES, JOBS)), split)
