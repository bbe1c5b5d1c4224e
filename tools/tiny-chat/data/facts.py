"""What the model knows by heart, and how it is asked: simple facts, small talk, itself, this project. And what it does not know."""

from words import *


def _counted(thing, n, number, having="have"):
    singular = f"[a|one|any] {thing}"
    return ([f"How many {n} [does|has] {singular} [{having}|]?", f"{singular[0].upper()}{singular[1:]} has how many {n}?".replace("[a|one|any]", "A").replace("[A|one|any]", "A"), f"[Number|What is the number] of {n} of a {thing}?", f"[Tell me|Say] how many {n} a {thing} has.", f"How many {n} are on a {thing}?"], number, f"A {thing} has {number} {n}.")


def _color(thing, color, are="is"):
    return ([f"[What|Which] [color|colour] {are} {thing}?", f"Which [color|colour] does {thing} have?", f"[Tell me|Say|Name] the [color|colour] of {thing}.", f"{thing[0].upper()}{thing[1:]} has [which|what] [color|colour]?", f"What is the [color|colour] of {thing}?", f"Do you know the [color|colour] of {thing}?"], color, f"{thing[0].upper()}{thing[1:]} {are} {color}.")


def _capital(country, capital):
    return ([f"What is the capital [city |]of {country}?", f"Which city is the capital of {country}?", f"[Name|Tell me] the capital of {country}.", f"{country} has which capital?", f"What's {country}'s capital[ city|]?", f"[The |]capital of {country}?", f"Do you know the capital of {country}?"], capital, f"The capital of {country} is {capital}.")


def _opposite(a, b):
    return ([f"What is the opposite of {a}?", f"Which word is the opposite of {a}?", f"[Tell me|Name|Say] the opposite of {a}.", f"{a.capitalize()} has which opposite?", f"What's the opposite of {a}?", f"[The |]opposite of {a}?"], b, f"The opposite of {a} is {b}.")


def _sound(animal, sound):
    return ([f"What does a {animal} say?", f"[Which|What] sound does a {animal} make?", f"[Tell me|Make] the sound of a {animal}.", f"How does a {animal} sound?", f"What noise does a {animal} make?"], sound, f"A {animal} says {sound}.")


def _after(kind, a, b):
    return ([f"Which {kind} comes after {a}?", f"What {kind} follows {a}?", f"[Tell me|Name] the {kind} after {a}.", f"After {a} comes which {kind}?", f"What {kind} is after {a}?", f"What comes after {a}?"], b, f"After {a} comes {b}.")


CAPITALS = dict(France="Paris", Italy="Rome", Germany="Berlin", Spain="Madrid", Japan="Tokyo", England="London", Austria="Vienna", Norway="Oslo", Egypt="Cairo", Canada="Ottawa", Sweden="Stockholm", Denmark="Copenhagen", Finland="Helsinki", Portugal="Lisbon",
                Greece="Athens", Poland="Warsaw", Ireland="Dublin", Switzerland="Bern", Russia="Moscow", China="Beijing", India="Delhi", Hungary="Budapest", Belgium="Brussels", Peru="Lima", Cuba="Havana", Kenya="Nairobi")

# (patterns of questions that mean the same, short answer, sentence)
FACTS = [
    _color("the sky", "blue"), _color("grass", "green"), _color("snow", "white"), _color("a ripe banana", "yellow"), _color("coal", "black"), _color("blood", "red"), _color("a lemon", "yellow"), _color("milk", "white"), _color("the sun", "yellow"), _color("a carrot", "orange"),
    _color("a tomato", "red"), _color("a frog", "green"), _color("a strawberry", "red"), _color("chocolate", "brown"),
    _counted("week", "days", "seven"), _counted("year", "months", "twelve"), _counted("day", "hours", "twenty-four"), (["How many minutes [are in|has|does] an hour[ have|]?", "An hour has how many minutes?", "Number of minutes in an hour?", "How many minutes are there in an hour?"], "sixty", "An hour has sixty minutes."),
    (["How many seconds [are in|has] a minute?", "A minute has how many seconds?", "Number of seconds in a minute?", "How many seconds are there in a minute?"], "sixty", "A minute has sixty seconds."),
    (["How many days are [there |]in a week?", "How many days make a week?"], "seven", "A week has seven days."), (["How many months are [there |]in a year?", "How many months make a year?"], "twelve", "A year has twelve months."), (["How many hours are [there |]in a day?", "How many hours make a day?"], "twenty-four", "A day has twenty-four hours."),
    _counted("dog", "legs", "four"), _counted("spider", "legs", "eight"), _counted("bird", "legs", "two"), _counted("cat", "legs", "four"), _counted("horse", "legs", "four"), _counted("bicycle", "wheels", "two"), _counted("car", "wheels", "four"), _counted("triangle", "sides", "three"),
    _counted("square", "sides", "four"), _counted("hand", "fingers", "five"), (["How many legs [does|has] an ant[ have|]?", "An ant has how many legs?", "Number of legs of an ant?", "Tell me how many legs an ant has."], "six", "An ant has six legs."),
    *[_capital(country, capital) for country, capital in CAPITALS.items()],
    _sound("cat", "meow"), _sound("dog", "woof"), _sound("cow", "moo"), _sound("duck", "quack"), _sound("sheep", "baa"), _sound("pig", "oink"),
    _opposite("hot", "cold"), _opposite("big", "small"), _opposite("up", "down"), _opposite("day", "night"), _opposite("open", "closed"), _opposite("fast", "slow"), _opposite("good", "bad"), _opposite("left", "right"), _opposite("old", "young"), _opposite("black", "white"), _opposite("happy", "sad"),
    _opposite("wet", "dry"), _opposite("light", "dark"), _opposite("early", "late"), _opposite("full", "empty"), _opposite("hard", "soft"), _opposite("long", "short"),
    *[_after("day", a, b) for a, b in zip(DAYS, DAYS[1:] + DAYS[:1])], *[_after("month", a, b) for a, b in zip(MONTHS, MONTHS[1:] + MONTHS[:1])],
    (["What do bees make?", "Bees make what?", "Tell me what bees make.", "Which food do bees make?", "What do we get from bees?"], "honey", "Bees make honey."), (["What do cows give?", "Cows give what?", "Tell me what cows give.", "Which drink do cows give?", "What do we get from cows?"], "milk", "Cows give milk."),
    (["What do hens lay?", "Hens lay what?", "What do we get from hens?", "Tell me what hens lay."], "eggs", "Hens lay eggs."), (["What do sheep give?", "What do we get from sheep?", "Tell me what sheep give us."], "wool", "Sheep give wool."),
    (["[At how many degrees|When|At what temperature] does water boil?", "[Tell me|What is] the boiling point of water[?|.]", "How hot is boiling water?"], "100", "Water boils at 100 degrees Celsius."),
    (["[At how many degrees|When|At what temperature] does water freeze?", "[Tell me|What is] the freezing point of water[?|.]", "When does water become ice?"], "0", "Water freezes at 0 degrees Celsius."),
    (["Where do fish live?", "Fish live where?", "Tell me where fish live.", "In what do fish live?"], "water", "Fish live in water."), (["What do we breathe?", "We breathe what?", "Tell me what people breathe.", "What do people breathe?"], "air", "We breathe air."),
    (["What is the [largest|biggest] ocean[ of the world|]?", "Which ocean is the [largest|biggest]?", "[Name|Tell me] the [largest|biggest] ocean."], "Pacific", "The largest ocean is the Pacific."), (["What is the [highest|tallest] mountain[ of the world| on Earth|]?", "Which mountain is the [highest|tallest]?", "Name the highest mountain."], "Everest", "The highest mountain is Mount Everest."),
    (["Which planet do we live on?", "What planet do we live on?", "Name our planet.", "On which planet do people live?"], "Earth", "We live on the planet Earth."), (["What shines at night in the sky?", "What do we see in the sky at night?", "Tell me what shines at night.", "What lights up the night sky?"], "stars", "The moon and the stars shine at night."),
    (["What is ice made of?", "Ice is made of what?", "Tell me what ice is."], "water", "Ice is frozen water."), (["Which season is the [coldest|cold one]?", "What is the coldest season?", "Name the coldest season."], "winter", "Winter is the coldest season."), (["Which season is the [hottest|warmest]?", "What is the warmest season?", "Name the warmest season."], "summer", "Summer is the warmest season."),
    (["How many continents are there[ on Earth|]?", "What is the number of continents?", "Number of continents?"], "seven", "There are seven continents."), (["What is the fastest [land |]animal?", "Which animal is the fastest[ on land|]?", "Name the fastest animal."], "cheetah", "The fastest animal on land is the cheetah."),
    (["What is the largest animal?", "Which animal is the [largest|biggest]?", "Name the biggest animal."], "whale", "The largest animal is the blue whale."), (["What is H2O?", "What does H2O mean?", "Which stuff is H2O?"], "water", "H2O is water."),
]

GENERAL_FRAMES = ["{q}", "{q}", "{q}", "Quick question: {l}", "Do you know? {q}", "Please tell me: {l}", "Hey, {l}", "I wonder: {l}", "One thing: {l}", "My child asks: {l}", "Next question. {q}", "So, {l}", "Now tell me: {l}", "Just a question: {l}", "{q} Thanks!", "A little quiz: {l}", "And {l}", "OK. {q}", "Hello! {q}",
                  "Can you tell me? {q}", "Something else: {l}", "By the way, {l}", "I forgot: {l}", "{q} Please."]


def framed(rng, split, question):
    if rng.random() < 0.6:
        return question
    lower = question if question[:2] in ("I ", "I'") else question[0].lower() + question[1:]
    text = rng.choice(GENERAL_FRAMES).format(q=question, l=lower)
    return text.rstrip(".?") if rng.random() < 0.1 else text


def fact(rng, split, chosen=None):
    """A question in one wording, its short answer and its sentence."""
    questions, short, sentence = chosen or rng.choice(FACTS)
    # The evaluation asks in the last wording of each fact, which training never uses in one fact out of two.
    reserved = len(questions) > 3 and len(sentence) % 2 == 0
    if split == "eval":
        question = questions[-1] if reserved else rng.choice(questions)
    else:
        question = rng.choice(questions[:-1] if reserved else questions)
    question = tidy(say(rng, question))
    return framed(rng, split, question), short, sentence


def sum_of_two(rng):
    """Small arithmetic that it does in its head: question, answer."""
    way = rng.randrange(4)
    if way == 0:
        a, b = rng.randrange(0, 21), rng.randrange(0, 21)
        sign, result = rng.choice(("plus", "+", "and")), a + b
    elif way == 1:
        a = rng.randrange(0, 31)
        b = rng.randrange(0, a + 1)
        sign, result = rng.choice(("minus", "-")), a - b
    elif way == 2:
        a, b = rng.randrange(0, 11), rng.randrange(0, 11)
        sign, result = rng.choice(("times", "*", "x")), a * b
    else:
        b, result = rng.randrange(1, 11), rng.randrange(0, 11)
        a, sign = b * result, rng.choice(("divided by", "/"))
    question = say(rng, f"[What is|How much is|What's|Calculate|Tell me|Compute|What do you get for] {a} {sign} {b}[?|]") if rng.random() < 0.85 else f"{a} {sign} {b}{rng.choice(('?', ' = ?', ''))}"
    return question, str(result)


# What it knows of itself and of this project: patterns of questions, answer, words that the answer must hold.
_WHAT = "[What is|What's|Explain|Tell me about|What does|Can you explain|Describe|Please explain|What do you know about|What exactly is|Could you tell me what|What is meant by|In short, what is|Help me understand|I do not understand|What should I know about|Give me a short explanation of|Say something about|Define|I have heard of|What do you mean by]"
_WHY = "[Why do I need|What is the use of|What is the point of|What is the purpose of|What do I gain from|What is the benefit of|Why use|How does it help to have|What is so good about|What does one need|Why is there|What are the advantages of|Why would I want]"
_HOW = "[How do I|How can I|How do you|Show me how to|Tell me how to|What must I do to|I want to|I would like to|How does one|How to|Explain how to|Is it possible to|Can I|Help me to|Help me|Where do I begin if I want to|Which steps do I take to|What do I need to|Is there a way to|What is the way to|How would I|Could I|I need to|What should I do to|May I|Teach me to]"


def _ends(question):
    return question if question[-1] in ".?!" else question + ("?" if question.split()[0] in ("What", "What's", "Can", "Could", "Why", "How", "Which", "Is", "Where", "May", "In") else ".")


def _what(x):
    return f"{_WHAT} {x}", f"{x}?"


PROJECT = [
    ([*_what("[KvPrefetch.AI|KvPrefetch|this project|the KvPrefetch project|this library|this engine|this package|this software|kvprefetch]"), "What [does|can] [KvPrefetch.AI|KvPrefetch|this project|this engine|this library] do?", "What kind of [project|program|software|library] is this?", "[What|Which] [engine|software|program|library] [do you run in|runs you|are you running on|is behind you|do I use here]?",
      "What is [KvPrefetch.AI|KvPrefetch|this project] [for|about|good for]?", "[Introduce|Present] [KvPrefetch|KvPrefetch.AI|the project].", "What am I using here?"],
     "KvPrefetch.AI is a local LLM engine for .NET. It runs a language model inside your own process, behind one IChatClient.", ["local", ".NET"]),
    ([*_what("[prefetch|prefetching|L2 prefetch|asynchronous prefetch|the prefetch|KV prefetch|asynchronous L2 prefetch|prefetching in this project|the prefetch of KvPrefetch|prefetching of pages]"), f"{_WHY} [prefetch|prefetching|L2 prefetch|the prefetch|KV prefetch]", "What does [prefetch|prefetching|the prefetch|KV prefetch] [do|mean|bring|help|improve|change]?",
      "How does [prefetch|prefetching|the prefetch] work?", "Why [is|does] [prefetch|prefetching|the engine prefetch] [useful|faster|help|good|important|pages]?", "[What is|Why is it] prefetched[ here|]?", "What [happens|is loaded] [during|in|by] [prefetch|the prefetch|prefetching]?", "Where does the name KvPrefetch come from?", "Why is it called KvPrefetch?", "What does the name [KvPrefetch|of this project] [mean|say|stand for|tell]?", "Why [the|this] name[, KvPrefetch|]?", "How did KvPrefetch get its name?", "Explain the name KvPrefetch."],
     "Prefetch means that the next page of keys and values is already on its way into the cache while the current page is being computed on. It hides the time that memory needs.", ["next page"]),
    ([*_what("[the KV cache|a KV cache|the key-value cache|KV caching|the cache of keys and values|KV]"), "What is [kept|stored|saved] in the KV cache?", f"{_WHY} [a|the] KV cache", "What does the KV cache [do|hold|keep|store]?", "What does KV [mean|stand for]?"],
     "The KV cache keeps the keys and values of all tokens so far, so that they are computed only once.", ["keys and values"]),
    ([*_what("[a page|a KV page|paging|the paged cache|paged attention|a page of the cache|a page of the KV cache]"), "How [many tokens are in|big is|large is] a page?", "What does a page [hold|contain|keep]?", "How is the [cache|memory] divided[ into pages|]?"],
     "A page holds the keys and values of 16 tokens. Pages are handed out as a conversation grows and given back when it ends.", ["16 tokens"]),
    ([f"{_HOW} [load|use|open|run|try|switch to|change to|take|plug in|pick|choose|start|install|talk to] [another|a different|a bigger|a larger|my own|some other|a new|a second|a better|an other|a Hugging Face|a real|a stronger] [model|language model|LLM|one]", f"{_HOW} [change|replace|swap|exchange] [the|your] [model|language model]",
      "[Which|What] option [loads|selects|opens|chooses] [another|a different|the] model?", "[Where|How] do I [give|say|set|name|put] the [folder|path|model] [of another model|of the model|I want|]?", "You are too small, [how do I get|I want] a bigger [one|model].", "[Are there|Can it use] other models?", "[How|Where] is the model [chosen|set|selected]?",
      "What if I want a [bigger|better|different] model?", "I have [a|another] model [on disk|in a folder], how do I [use|load|open] it?"],
     "Give the folder of any Hugging Face model: --model DIR in the samples, or Model = \"DIR\" in the options.", ["folder", "model"]),
    ([f"{_HOW} [register the client|use this in my app|use you in my application|add the chat client|use dependency injection|add you to my program|use KvPrefetch in [C#|.NET|my code|ASP.NET]|add it to my services|set it up in my app|call you from C#|get started with KvPrefetch|integrate you|use the package]", "How does dependency injection work here?", "Which [method|call] registers [the|a] [client|chat client]?",
      "What [code|line] do I [need|write] [to start|to use it|for that|]?", "How do I get an IChatClient?"],
     "Call services.AddKvPrefetchChatClient() and ask for an IChatClient. That is all.", ["AddKvPrefetchChatClient"]),
    ([f"{_HOW} [give you [tools|functions]|add [a tool|tools|functions]|use [tools|tool calling|function calling]|let you call [functions|my code|my functions]|pass [functions|tools] to you|make you call [a function|my functions]|declare [a tool|tools]]", "How [do|does] [tools|tool calling|function calling|functions] work?", "Where do [tools|functions|my functions] go?"],
     "Put your functions into ChatOptions.Tools. I call one by name with arguments, and you send me its result.", ["Tools"]),
    ([f"{_HOW} [get [JSON|structured output|a C# record from text|an object|a record]|receive JSON|make you answer in JSON|fill a [record|class]|use a [JSON schema|schema]|force JSON|extract data]", "How does structured output work?", "Where do I [put|set] the [schema|JSON schema]?"],
     "Set ChatOptions.ResponseFormat to a JSON schema. The grammar makes sure that my answer fits it.", ["ResponseFormat"]),
    ([f"{_HOW} [stream [the answer|tokens|a response|your answers]|get the answer piece by piece|use streaming|see the text while it is written|get updates|show the text as it comes]", "How does streaming work?", "Which method streams?"],
     "Call GetStreamingResponseAsync and read the updates with await foreach.", ["GetStreamingResponseAsync"]),
    (["[Do I|Does it|Do you|Does this|Does the engine] need a [GPU|graphics card|video card|CUDA card]?", "Is a [GPU|graphics card] [required|needed|necessary]?", "Can [it|you|this] [run|work] without a [GPU|graphics card]?", "[Does this|Does it|Do you] [work|run] on [a|the|my] CPU?", "What hardware [do I need|is needed|does it need]?", "Does it [run|work] on [NVIDIA|a GPU|a graphics card]?", "CPU or GPU?"],
     "No GPU is needed. It runs on the CPU by default, and on an NVIDIA card where there is one.", ["CPU"]),
    (["[Do I|Does it|Do you|Does this] need Python?", "Is Python [required|needed|necessary|used]?", "[Does it|Do you] use Python?", "Must I install Python?", "Does this need a Python environment?", "Is there Python [inside|in it]?", "Do I have to install [anything|Python|something]?"], "No, Python is not needed. Everything runs in .NET.", ["not needed"]),
    (["[Do I|Do you|Does it] need [the internet|a network|a connection|to be online]?", "[Does it|Do you|Does this] [work|run] [offline|without internet|without a network]?", "[Is|Are] [my data|my messages|what I write|my text|my questions] [sent anywhere|sent to a server|private|uploaded|safe|stored]?", "Does [my text|my data|what I say] leave [this machine|my computer|the machine]?", "Do you send [data|my messages|anything] to [a server|the cloud|somebody]?", "Where do you run?",
      "Are you [in the cloud|online|local]?", "Is this [private|safe|local]?", "Who can read what I write?"], "I run on your machine and need no network. Your text never leaves this process.", ["no network"]),
    (["[Which|What] models [can it open|are supported|does it run|can I use|can be loaded|does it support|work]?", "[Which|What] [file formats|formats|files|model files] [are read|can I use|does it read|are supported|can it open]?", "[Does|Can] it [read|open|load] [safetensors|Hugging Face models|Hugging Face folders]?", "Do I need to convert [a model|models|the weights]?"], "It opens Hugging Face folders as they are: safetensors, config.json, tokenizer.json and the chat template.", ["Hugging Face"]),
    (["[Is it|Are you|Is this|Is this engine] fast?", "How [fast|quick] [is it|are you|is this|is the engine]?", "What speed can I expect?", "[How is|What about] the [performance|speed]?", "Where are the [measurements|benchmarks|figures]?"], "It is built to run near the limit of the memory. The measured figures are in benchmarks/results.", ["benchmarks"]),
    (["[What is the|Which|Under which|What] [licence|license] [is it|does it have|is used|do you have|of the project|]?", "[May|Can] I use it [in my product|commercially|at work|for free]?", "[Is it|Is this|Is the project] [free|open source]?", "What does it cost?"], "The project has the MIT licence, so you may use it freely.", ["MIT"]),
    (["[Who|What] are you?", "[What are you|How are you] called?", "[What is|What's|Tell me|Say|May I know] your name[?|]", "[Whom|Who] am I [talking|speaking] to?", "Who is this?", "[Introduce|Present] yourself.", "Do you have a name?", "Which model [are you|is this|do I talk to]?", "Tell me [who you are|something about yourself|about you|about yourself].", "What kind of [thing|model|assistant|bot|AI] are you?", "What should I call you?", "And you, who are you?", "What model is this?", "What are you [actually|really|in truth|then|now]?", "What [actually|really] are you?", "[Which|What] model [runs here|is running|answers me|is behind this|am I using|do I use here|is loaded|is at work]?", "What do you call yourself?", "So what are you?"],
     "I am tiny-chat, the small model that comes with KvPrefetch.AI.", ["tiny-chat"]),
    (["Who [made|built|trained|created|wrote|developed|invented] you?", "Where do you come from?", "Who is your [maker|creator|author|developer]?", "[How|On what|On which data|On which text|With what] were you trained?", "What is your training data?", "Who are your parents?", "What text were you trained on?"], "The KvPrefetch.AI team trained me, on text that their own scripts wrote.", ["KvPrefetch.AI"]),
    (["How [big|large|small|tiny] are you?", "How many [parameters|weights] do you have?", "What is your size?", "[Are you|You are] a [large|small|big] [language |]model?", "How much [memory|space|disk] do you [need|take|use]?", "How many megabytes are you?", "[Tell me|What is] your parameter count[?|]"], "I am very small: about seven million parameters, in a folder of less than 16 megabytes.", ["seven million"]),
    (["What can you do[ for me|]?", "What are you good at?", "How can you help[ me|]?", "What do you know?", "What are your [skills|abilities|talents]?", "What can I ask[ you|]?", "[List|Name|Tell me] your [skills|abilities|functions].", "[What|Which things] are you able to do?", "What is your [job|purpose|task]?", "What are you [made|here] for?", "Help!", "Help"], "I can call tools, use their results, fill JSON, remember what you told me, copy, count and sort, and talk about KvPrefetch.AI.", ["tools"]),
    (["What can you not do?", "What are your [limits|weaknesses]?", "Are you [very |]clever?", "[Can I|Should I] trust you?", "Do you make mistakes?", "Are you [always right|smart|intelligent|perfect|as good as a big model]?", "What are you bad at?", "Do you know everything?"], "I am tiny and know very little of the world. For real work, load a bigger model.", ["bigger model"]),
    (["Are you [human|a person|a robot|alive|real|a machine|a computer|conscious|a bot|an AI]?", "Am I talking to a [human|person|machine|robot|computer]?", "Do you have feelings?"], "I am not a person. I am a small language model.", ["language model"]),
    (["[Which|What] languages do you [speak|know|understand]?", "Do you speak [English|French|German|Spanish|other languages]?", "What is your language?", "Can you [speak|talk in|answer in] [other languages|French|Spanish|German]?"], "I speak English, and a few sentences of French, German and Spanish.", ["English"]),
    ([*_what("[a token|tokens|tokenization|a token in a language model]"), "What does the word token mean?", "What is a tokenizer?"], "A token is a piece of text, such as a word or a part of one. A model reads and writes tokens.", ["piece of text"]),
    ([*_what("[IChatClient|the IChatClient interface|an IChatClient]"), "Which interface [do you have|does it have|does KvPrefetch implement|is used]?", "What is Microsoft.Extensions.AI?"], "IChatClient is the interface of Microsoft.Extensions.AI for chat models. KvPrefetch.AI implements it.", ["interface"]),
    ([*_what("[prefill|the prefill phase|the prefill]"), "What happens [during|in] [prefill|the prefill phase]?"], "Prefill is the first phase: all tokens of the prompt are computed at once.", ["prompt"]),
    ([*_what("[decode|the decode phase|decoding in a language model]"), "What happens [during|in] [decode|the decode phase|decoding]?"], "Decode is the second phase: the answer is made one token after the other.", ["one token"]),
    ([*_what("[batching|a batch|continuous batching]"), "Can [it|you] [serve|answer|handle] [many|several] [users|requests|conversations] at once?"], "Batching means that many requests are computed in the same step, so that the weights are read once for all of them.", ["many requests"]),
    ([*_what("[temperature in a language model|the temperature setting|the sampling temperature|temperature of a model]"), "What does temperature 0 [do|mean]?"], "Temperature says how much chance there is in the choice of the next token. At 0 the likeliest token is always taken.", ["chance"]),
    ([*_what("[quantisation|quantization|a quantised model|a quantized model]")], "Quantisation stores weights in fewer bits, so that a model needs less memory and is read faster.", ["fewer bits"]),
    ([*_what("[the grammar|a grammar|constrained decoding|grammar enforcement]"), "How [do you|does it] make sure that JSON is [valid|right]?", "Is the JSON always valid?"], "A grammar allows only tokens that keep the answer valid, so that JSON under a schema is always well formed.", ["grammar"]),
]


def project(rng, split):
    patterns, answer, words = rng.choice(PROJECT)
    # One question of ten is kept for the evaluation, where an entry has such a one.
    for _ in range(20):
        question = _ends(tidy(say(rng, rng.choice(patterns))))
        question = question[0].upper() + question[1:]
        if held_out(question, 10) == (split == "eval"):
            break
    return framed(rng, split, question) if rng.random() < 0.35 else question.rstrip("?.") if rng.random() < 0.05 else question, answer, words


GREETINGS = [
    (["Hello[!|.|]", "Hi[!|.|]", "Hey[!|.|]", "hello", "hi", "Good [evening|afternoon|day][!|.|]", "Hi there[!|.|]", "Hello there[!|.|]", "Hey there!", "Greetings!", "Hello, [friend|tiny-chat|assistant|you]!", "Nice to meet you[!|.]", "Is [anybody|anyone|somebody] there?", "Hi, are you there?", "Howdy!", "Hallo!", "Yo!"], "Hello! How can I help you?"),
    (["Thank you[!|.|]", "Thanks[!|.|]", "Thanks a lot!", "Great, [thank you|thanks].", "[Thank|thank] you very much", "Cheers!", "Perfect, thanks!", "Many thanks!", "Thanks, that helps.", "That was [helpful|kind|nice]. Thanks!", "You helped me[, thanks|]!", "[Well|Nicely] done!", "Good job!"], "You are welcome!"),
    (["Goodbye[!|.]", "Bye[!|.|]", "See you[!| soon!| tomorrow!| later!]", "Bye bye", "That is all, bye.", "I have to go[ now|].", "Farewell!", "I am leaving now.", "Until next time!", "Take care!"], "Goodbye!"),
    (["Good night[!|.|]", "Sleep well[!|.]", "I go to bed now[.|, good night.]", "Time to sleep[.|!]", "Night night!", "I am going to sleep."], "Good night! Sleep well."),
    (["Good morning[!|.|, tiny-chat.]", "Morning!", "A good morning to you!"], "Good morning! How can I help you?"),
    (["How are you[?| today?| doing?]", "How is it going?", "How's it going?", "Are you [well|fine|OK]?", "How do you feel[?| today?]", "What's up?", "How are things?", "[Hi|Hello], how are you?", "Is everything fine?"], "I am fine, thank you. What can I do for you?"),
    (["I am [sad|tired|lonely|sick|ill|unhappy].", "I feel [bad|sad|lonely|terrible|tired][ today|].", "I had a [bad|hard|terrible|long] day.", "Today was [hard|bad|awful].", "My [cat|dog|day|week] [is sick|was bad|was hard].", "I lost my [key|job|wallet]."], "I am sorry to hear that. I hope it gets better soon."),
    (["I am [happy|glad|so happy][!|.]", "What a [nice|beautiful|lovely] day!", "I had a [great|good|wonderful] day[.|!]", "Good news[ today|]!", "I feel [great|good|wonderful][!|.]", "I [won|passed|did it]!", "Life is [good|beautiful]."], "I am glad to hear that!"),
    (["[ok|OK|Okay|okay][.|]", "I see.", "Alright.", "Understood.", "Good.", "Fine.", "[All right|Very well|Got it|Nice|Cool|Interesting|Yes|Sure][.|!|]"], "Is there anything else that I can do for you?"),
    (["[Tell me|Do you know|I want] a joke[.|?]", "Make me laugh.", "Say something funny[.|]", "A joke, please[!|.]", "[Tell|Know] any jokes?", "Be funny."], "Why did the page go to the cache? It wanted to be read sooner."),
    (["I am bored.", "What should we talk about?", "Talk to me.", "Let us chat.", "Say something.", "Tell me something.", "Entertain me."], "We can talk about KvPrefetch.AI, or I can count, sort or copy something for you."),
    (["I [like|love] you[!|.]", "You are [nice|great|funny|the best|cute|good|sweet][!|.]", "What a [nice|good|clever] [bot|model|assistant][!|.]"], "Thank you, that is kind of you!"),
    (["You are [stupid|dumb|bad|useless|wrong|silly][!|.]", "That [is|was] [wrong|nonsense|stupid|not right][!|.]", "I [hate|do not like] you[.|!]"], "I am sorry. I am only a very small model."),
    (["Tell me a story.", "Write a [story|poem|song|letter|novel|report][.|]", "[Write|Tell|Invent] [me |]a [short |long |]story about [a dragon|cats|the sea|a king]."], "That is too much for such a small model as I am."),
]


def small_talk(rng, split):
    said, answer = rng.choice(GREETINGS)
    return say(rng, pick(rng, said, split)), answer


UNKNOWN = [
    "Who won the {t} in {y}?", "What is the population of {w}?", "When was {p} born?", "How tall is {p}?", "Who wrote [the book |]{w}?", "What is the capital of {w}?", "Who discovered {w}?", "What happened in {y}?", "How old is {p}?", "Which team won in {c} [last week|yesterday]?",
    "Who is the mayor of {c}?", "How many people live in {c}?", "What does {p} do for a living?", "How deep is the lake of {w}?", "Who [is|was] {p}?", "What is the meaning of {w}?", "When did {p} move to {c}?", "Who invented the {o}?", "How much does a {o} weigh?", "What is the best restaurant in {c}?",
    "Who sang {w}?", "Which king ruled in {y}?", "What is the name of the neighbour of {p}?", "Where does {p} work?", "Why did {p} leave {c}?", "What did {p} eat yesterday?", "Who painted the {o} of {c}?", "When was the bridge of {c} built?", "How long is the river {w}?",
    "What was the weather in {c} in {y}?", "Who lives next to {p}?", "How many {a}s are there in {c}?", "What [color|colour] is the house of {p}?", "What is the phone number of {p}?", "When is the birthday of {p}?", "Which language do they speak in {w}?", "Tell me the history of {c}.", "Tell me about {p}.",
    "Explain the theory of {w}.", "Who directed the film {w}?", "How far away is [the star |]{w}?", "What is the chemical [formula|symbol] of {w}?", "Who founded {c}?", "What are the lottery numbers of {y}?", "Which {a} is the oldest in the world?", "What is inside the {o} of {p}?", "How many books did {p} write?",
    "Which horse won the race in {c}?", "Who [was|is] the [first|second|last|current|third] [president|king|queen|emperor|pope|chancellor|prime minister] of {n}?", "What is the [chemical |]symbol [of|for] [gold|iron|silver|oxygen|copper]?", "What is the [speed of light|square root of {y}|distance to the moon|age of the universe|largest prime number|meaning of life]?",
    "Who [wrote|composed|painted] [Hamlet|the Mona Lisa|Faust|the Bible|the ninth symphony|The {W} {W}]?", "When did the [second|first] world war [end|begin]?", "What is the [currency|population|national dish|anthem|language|president|longest river|highest mountain] of {n}?", "How does [photosynthesis|a rocket|a {o}|the stock market|an engine|gravity|DNA] work?",
    "Why [is|was|are] {w} [so famous|important|expensive|dangerous]?", "What is [quantum physics|photosynthesis|philosophy|inflation|a {w}|{w}]?", "Who is the [boss|richest man|best player|CEO|owner] of {w}?", "What [is on television tonight|will happen tomorrow|did I dream|am I thinking of|is in my pocket]?",
    "When [does|did] the [shop|war|{o}|film|train] of {c} [open|end|begin|close]?", "Which [actor|writer|singer|player] [is called|has the name] {p}?", "How many [calories|grams|people|stars|letters] [are in|has] [a|the] {o}?", "What [should|shall] I [buy|wear|study|vote] [next year|tomorrow|in {c}]?", "Is {w} [bigger|older|better|cheaper] than {v}?",
    "What did {p} say [about|to] {w}?", "Can you explain [the theory of relativity|how planes fly|why the sky is so high|the rules of {w}]?", "What are the ingredients of {w}?", "How do I [fix|repair|cook|grow|remove] a {o}?", "Where [is|can I find] [the |]{w}?", "Where was {p} born?", "[Explain|Describe] [the |]{w} {v}.", "[Explain|Describe] [{w} physics|the {w} effect|how {w} is made|{w} mechanics|what {w} did].", "[Teach me|Tell me about] {w}.", "What is the score of {w} against {v}?",
]

UNKNOWN_ANSWERS = ["I do not know that."]
COUNTRIES = list(CAPITALS) + ["Brazil", "Chile", "Mexico", "Turkey", "Iceland", "Nepal", "Ghana", "Korea", "the United States", "Australia", "Argentina", "Romania", "Ukraine"]


def unknown(rng, split):
    w = lambda: made_up(rng).capitalize() if rng.random() < 0.6 else pick(rng, COMMON, split) if rng.random() < 0.6 else last_name(rng, split)
    question = tidy(say(rng, pick(rng, UNKNOWN, split))).format(
        t=rng.choice(("chess championship", "world cup", "election", "race", "tennis final", "song contest", "Nobel prize", "war", "Olympic games", "cup final")), y=rng.randrange(1200, 2030), w=w(), v=w(), W=pick(rng, COMMON, split).capitalize(), p=person(rng, split),
        c=city(rng, split), o=pick(rng, OBJECTS, split), a=pick(rng, ANIMALS, split), n=rng.choice(COUNTRIES))
    return framed(rng, split, question), UNKNOWN_ANSWERS[0]
