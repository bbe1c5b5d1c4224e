"""What the model knows by heart, and how it is asked: simple facts, itself, this project. And what it does not know."""

from words import *

# (questions that mean the same, short answer, sentence)
FACTS = [
    (["What color is the sky?", "Which color does the sky have?", "The sky has which color?", "Tell me the color of the sky."], "blue", "The sky is blue."),
    (["What color is grass?", "Which color does grass have?", "Tell me the color of grass.", "Grass has which color?"], "green", "Grass is green."),
    (["What color is snow?", "Which color does snow have?", "Tell me the color of snow.", "Snow has which color?"], "white", "Snow is white."),
    (["What color is a ripe banana?", "Which color do bananas have?", "Tell me the color of a banana.", "A banana has which color?"], "yellow", "A banana is yellow."),
    (["What color is coal?", "Which color does coal have?", "Tell me the color of coal.", "Coal has which color?"], "black", "Coal is black."),
    (["What color is blood?", "Which color does blood have?", "Tell me the color of blood.", "Blood has which color?"], "red", "Blood is red."),
    (["How many days are in a week?", "How many days does a week have?", "A week has how many days?", "Number of days in a week?"], "seven", "A week has seven days."),
    (["How many months are in a year?", "How many months does a year have?", "A year has how many months?", "Number of months in a year?"], "twelve", "A year has twelve months."),
    (["How many hours are in a day?", "How many hours does a day have?", "A day has how many hours?", "Number of hours in a day?"], "twenty-four", "A day has twenty-four hours."),
    (["How many minutes are in an hour?", "How many minutes does an hour have?", "An hour has how many minutes?", "Number of minutes in an hour?"], "sixty", "An hour has sixty minutes."),
    (["How many legs does a dog have?", "How many legs has a dog?", "A dog has how many legs?", "Number of legs of a dog?"], "four", "A dog has four legs."),
    (["How many legs does a spider have?", "How many legs has a spider?", "A spider has how many legs?", "Number of legs of a spider?"], "eight", "A spider has eight legs."),
    (["How many legs does an ant have?", "How many legs has an ant?", "An ant has how many legs?", "Number of legs of an ant?"], "six", "An ant has six legs."),
    (["How many legs does a bird have?", "How many legs has a bird?", "A bird has how many legs?", "Number of legs of a bird?"], "two", "A bird has two legs."),
    (["How many wheels does a bicycle have?", "How many wheels has a bicycle?", "A bicycle has how many wheels?", "Number of wheels of a bicycle?"], "two", "A bicycle has two wheels."),
    (["How many sides does a triangle have?", "How many sides has a triangle?", "A triangle has how many sides?", "Number of sides of a triangle?"], "three", "A triangle has three sides."),
    (["What is the capital of France?", "Which city is the capital of France?", "Name the capital of France.", "France has which capital?"], "Paris", "The capital of France is Paris."),
    (["What is the capital of Italy?", "Which city is the capital of Italy?", "Name the capital of Italy.", "Italy has which capital?"], "Rome", "The capital of Italy is Rome."),
    (["What is the capital of Germany?", "Which city is the capital of Germany?", "Name the capital of Germany.", "Germany has which capital?"], "Berlin", "The capital of Germany is Berlin."),
    (["What is the capital of Spain?", "Which city is the capital of Spain?", "Name the capital of Spain.", "Spain has which capital?"], "Madrid", "The capital of Spain is Madrid."),
    (["What is the capital of Japan?", "Which city is the capital of Japan?", "Name the capital of Japan.", "Japan has which capital?"], "Tokyo", "The capital of Japan is Tokyo."),
    (["What is the capital of England?", "Which city is the capital of England?", "Name the capital of England.", "England has which capital?"], "London", "The capital of England is London."),
    (["What is the capital of Austria?", "Which city is the capital of Austria?", "Name the capital of Austria.", "Austria has which capital?"], "Vienna", "The capital of Austria is Vienna."),
    (["What is the capital of Norway?", "Which city is the capital of Norway?", "Name the capital of Norway.", "Norway has which capital?"], "Oslo", "The capital of Norway is Oslo."),
    (["What is the capital of Egypt?", "Which city is the capital of Egypt?", "Name the capital of Egypt.", "Egypt has which capital?"], "Cairo", "The capital of Egypt is Cairo."),
    (["What is the capital of Canada?", "Which city is the capital of Canada?", "Name the capital of Canada.", "Canada has which capital?"], "Ottawa", "The capital of Canada is Ottawa."),
    (["What does a cat say?", "Which sound does a cat make?", "Tell me the sound of a cat.", "How does a cat sound?"], "meow", "A cat says meow."),
    (["What does a dog say?", "Which sound does a dog make?", "Tell me the sound of a dog.", "How does a dog sound?"], "woof", "A dog says woof."),
    (["What does a cow say?", "Which sound does a cow make?", "Tell me the sound of a cow.", "How does a cow sound?"], "moo", "A cow says moo."),
    (["What does a duck say?", "Which sound does a duck make?", "Tell me the sound of a duck.", "How does a duck sound?"], "quack", "A duck says quack."),
    (["What is the opposite of hot?", "Which word is the opposite of hot?", "Tell me the opposite of hot.", "Hot has which opposite?"], "cold", "The opposite of hot is cold."),
    (["What is the opposite of big?", "Which word is the opposite of big?", "Tell me the opposite of big.", "Big has which opposite?"], "small", "The opposite of big is small."),
    (["What is the opposite of up?", "Which word is the opposite of up?", "Tell me the opposite of up.", "Up has which opposite?"], "down", "The opposite of up is down."),
    (["What is the opposite of day?", "Which word is the opposite of day?", "Tell me the opposite of day.", "Day has which opposite?"], "night", "The opposite of day is night."),
    (["What is the opposite of open?", "Which word is the opposite of open?", "Tell me the opposite of open.", "Open has which opposite?"], "closed", "The opposite of open is closed."),
    (["What is the opposite of fast?", "Which word is the opposite of fast?", "Tell me the opposite of fast.", "Fast has which opposite?"], "slow", "The opposite of fast is slow."),
    (["What do bees make?", "Bees make what?", "Tell me what bees make.", "Which food do bees make?"], "honey", "Bees make honey."),
    (["What do cows give?", "Cows give what?", "Tell me what cows give.", "Which drink do cows give?"], "milk", "Cows give milk."),
    (["Which day comes after Monday?", "What day follows Monday?", "Tell me the day after Monday.", "After Monday comes which day?"], "Tuesday", "After Monday comes Tuesday."),
    (["Which day comes after Friday?", "What day follows Friday?", "Tell me the day after Friday.", "After Friday comes which day?"], "Saturday", "After Friday comes Saturday."),
    (["Which month comes after May?", "What month follows May?", "Tell me the month after May.", "After May comes which month?"], "June", "After May comes June."),
    (["At how many degrees does water boil?", "When does water boil?", "Tell me the boiling point of water.", "What is the boiling point of water?"], "100", "Water boils at 100 degrees Celsius."),
    (["At how many degrees does water freeze?", "When does water freeze?", "Tell me the freezing point of water.", "What is the freezing point of water?"], "0", "Water freezes at 0 degrees Celsius."),
    (["Where do fish live?", "Fish live where?", "Tell me where fish live.", "In what do fish live?"], "water", "Fish live in water."),
    (["What do we breathe?", "We breathe what?", "Tell me what people breathe.", "What do people breathe?"], "air", "We breathe air."),
    (["What is the largest ocean?", "Which ocean is the largest?", "Name the largest ocean.", "Tell me the biggest ocean."], "Pacific", "The largest ocean is the Pacific."),
    (["Which planet do we live on?", "What planet do we live on?", "Name our planet.", "Tell me the planet of people."], "Earth", "We live on the planet Earth."),
    (["What shines at night in the sky?", "What do we see in the sky at night?", "Tell me what shines at night.", "What lights up the night sky?"], "stars", "The moon and the stars shine at night."),
]

GENERAL_FRAMES = ["{q}", "{q}", "{q}", "Quick question: {l}", "Do you know? {q}", "Please tell me: {l}", "Hey, {l}", "I wonder: {l}", "One thing: {l}", "My child asks: {l}", "Next question. {q}", "So, {l}"]


def fact(rng, split):
    """A question in one wording, its short answer and its sentence."""
    questions, short, sentence = rng.choice(FACTS)
    # The evaluation asks in the last wording of each fact, which training never uses in one fact out of two.
    index = FACTS.index((questions, short, sentence))
    reserved = questions[3] if index % 2 == 0 else None
    if split == "eval":
        question = reserved or rng.choice(questions)
    else:
        question = rng.choice([q for q in questions if q != reserved])
    frame = pick(rng, GENERAL_FRAMES[2:], split) if rng.random() < 0.35 else "{q}"
    return frame.format(q=question, l=question[0].lower() + question[1:]), short, sentence


# What it knows of itself and of this project: (the thing's names, kinds of question, answer, words that the answer must hold)
FRAMES = {
    "what": ["What is {x}?", "What is {x}", "Explain {x}.", "Tell me about {x}.", "What does {x} mean?", "Can you explain {x}?", "Describe {x}.", "{x}?", "What do you know about {x}?", "I do not understand {x}.",
             "Give me a short explanation of {x}.", "Help me understand {x}.", "What exactly is {x}?", "Could you tell me what {x} is?", "What is meant by {x}?", "In short, what is {x}?", "What should I know about {x}?"],
    "why": ["Why do I need {x}?", "What is {x} good for?", "Why use {x}?", "What does {x} do?", "What does {x} bring?", "Why is {x} useful?", "What is the use of {x}?", "What do I gain from {x}?", "What is {x} for?", "How does {x} help?"],
    "how": ["How do I {x}?", "How can I {x}?", "How do you {x}?", "Show me how to {x}.", "Tell me how to {x}.", "What must I do to {x}?", "I want to {x}.", "I would like to {x}. How?", "What is the way to {x}?", "How to {x}?", "Explain how to {x}.",
            "Is it possible to {x}?", "Can I {x}?", "Help me to {x}.", "Where do I begin if I want to {x}?", "Which steps do I take to {x}?"],
    "plain": ["{x}?", "{x}?", "Hey, {x}?", "Tell me, {x}?", "I wonder, {x}?", "One question: {x}?", "Please tell me: {x}?", "Just curious, {x}?", "So, {x}?"],
}

PROJECT = [
    ("what", ["KvPrefetch.AI", "KvPrefetch", "this project", "the KvPrefetch project", "this library", "this engine", "the engine you run in"],
     "KvPrefetch.AI is a local LLM engine for .NET. It runs a language model inside your own process, behind one IChatClient.", ["local", ".NET"]),
    ("what", ["prefetch", "prefetching", "L2 prefetch", "asynchronous prefetch", "the prefetch", "KV prefetch", "asynchronous L2 prefetch"],
     "Prefetch means that the next page of keys and values is already on its way into the cache while the current page is being computed on.", ["next page"]),
    ("why", ["prefetch", "prefetching", "L2 prefetch", "asynchronous prefetch", "the prefetch", "KV prefetch"],
     "Prefetch hides the time that memory needs: while one page of keys and values is computed on, the next page is already loading.", ["next page"]),
    ("what", ["the KV cache", "a KV cache", "the key-value cache", "KV caching", "the cache of keys and values"],
     "The KV cache keeps the keys and values of all tokens so far, so that they are computed only once.", ["keys and values"]),
    ("what", ["a page", "a KV page", "paging", "the paged cache", "paged attention", "a page of the cache"],
     "A page holds the keys and values of 16 tokens. Pages are handed out as a conversation grows and given back when it ends.", ["16 tokens"]),
    ("how", ["load another model", "use another model", "open a different model", "change the model", "use a bigger model", "run my own model", "load a Hugging Face model", "switch to another model"],
     "Give the folder of any Hugging Face model: --model DIR in the samples, or Model = \"DIR\" in the options.", ["folder", "model"]),
    ("how", ["register the client", "use this in my app", "use you in my application", "add the chat client", "use dependency injection", "add you to my program", "start with KvPrefetch", "use KvPrefetch in C#"],
     "Call services.AddKvPrefetchChatClient() and ask for an IChatClient. That is all.", ["AddKvPrefetchChatClient"]),
    ("how", ["give you tools", "add a tool", "use tools", "let you call functions", "pass functions to you", "call my functions", "use tool calling"],
     "Put your functions into ChatOptions.Tools. I call one by name with arguments, and you send me its result.", ["Tools"]),
    ("how", ["get JSON", "get structured output", "get a C# record from text", "receive JSON", "make you answer in JSON", "fill a record", "use a JSON schema"],
     "Set ChatOptions.ResponseFormat to a JSON schema. The grammar makes sure that my answer fits it.", ["ResponseFormat"]),
    ("how", ["stream the answer", "get the answer piece by piece", "use streaming", "see the text while it is written", "stream tokens"],
     "Call GetStreamingResponseAsync and read the updates with await foreach.", ["GetStreamingResponseAsync"]),
    ("plain", ["do I need a GPU", "does it need a graphics card", "is a GPU required", "can it run without a GPU", "does this work on a CPU", "do you run on the CPU", "must I have a graphics card"],
     "No GPU is needed. It runs on the CPU by default, and on an NVIDIA card where there is one.", ["CPU"]),
    ("plain", ["do I need Python", "is Python required", "does it use Python", "must I install Python", "does this need a Python environment"],
     "No, Python is not needed. Everything runs in .NET.", ["not needed"]),
    ("plain", ["do I need the internet", "do you need a network", "does it work offline", "is my data sent anywhere", "are my messages private", "does my text leave this machine", "do you send data to a server", "can you work without internet"],
     "I run on your machine and need no network. Your text never leaves this process.", ["no network"]),
    ("plain", ["which models can it open", "which models are supported", "what models does it run", "which file formats are read", "what model files can I use"],
     "It opens Hugging Face folders as they are: safetensors, config.json, tokenizer.json and the chat template.", ["Hugging Face"]),
    ("plain", ["is it fast", "how fast is it", "how fast are you", "is this engine fast", "what speed can I expect"],
     "It is built to run near the limit of the memory. The measured figures are in benchmarks/results.", ["benchmarks"]),
    ("plain", ["what is the licence", "under which licence is it", "may I use it in my product", "is it free", "is it open source"],
     "The project has the MIT licence, so you may use it freely.", ["MIT"]),
    ("plain", ["who are you", "what are you", "what are you called", "what is your name", "how are you called", "whom am I talking to", "may I know your name", "who is this"],
     "I am tiny-chat, the small model that comes with KvPrefetch.AI.", ["tiny-chat"]),
    ("plain", ["who made you", "who built you", "who trained you", "who created you", "where do you come from", "who is your maker"],
     "The KvPrefetch.AI team trained me, on text that their own scripts wrote.", ["KvPrefetch.AI"]),
    ("plain", ["how big are you", "how large are you", "how many parameters do you have", "what is your size", "how small are you", "are you a large model"],
     "I am very small: about seven million parameters, in a folder of less than 16 megabytes.", ["seven million"]),
    ("plain", ["what can you do", "what are you good at", "how can you help me", "what do you know", "what are your skills", "what can I ask you", "how can you help"],
     "I can call tools, use their results, fill JSON, remember what you told me, copy, count and sort, and talk about KvPrefetch.AI.", ["tools"]),
    ("plain", ["what can you not do", "what are your limits", "are you very clever", "can I trust you", "do you make mistakes", "are you always right"],
     "I am tiny and know very little of the world. For real work, load a bigger model.", ["bigger model"]),
    ("plain", ["are you human", "are you a person", "are you a robot", "are you alive", "am I talking to a human", "are you real"],
     "I am not a person. I am a small language model.", ["language model"]),
    ("plain", ["which languages do you speak", "do you speak English", "what languages do you know", "what is your language", "can you speak other languages"],
     "I speak English, and a few sentences of French, German and Spanish.", ["English"]),
    ("what", ["a token", "tokens", "tokenization", "a token in a language model"],
     "A token is a piece of text, such as a word or a part of one. A model reads and writes tokens.", ["piece of text"]),
    ("what", ["IChatClient", "the IChatClient interface", "an IChatClient"],
     "IChatClient is the interface of Microsoft.Extensions.AI for chat models. KvPrefetch.AI implements it.", ["interface"]),
    ("what", ["prefill", "the prefill phase", "the prefill"],
     "Prefill is the first phase: all tokens of the prompt are computed at once.", ["prompt"]),
    ("what", ["decode", "the decode phase", "decoding in a language model"],
     "Decode is the second phase: the answer is made one token after the other.", ["one token"]),
    ("what", ["batching", "a batch", "continuous batching"],
     "Batching means that many requests are computed in the same step, so that the weights are read once for all of them.", ["many requests"]),
    ("what", ["temperature", "the temperature setting", "the sampling temperature"],
     "Temperature says how much chance there is in the choice of the next token. At 0 the likeliest token is always taken.", ["chance"]),
    ("what", ["quantisation", "quantization", "a quantised model"],
     "Quantisation stores weights in fewer bits, so that a model needs less memory and is read faster.", ["fewer bits"]),
]


def project(rng, split):
    kind, names, answer, words = rng.choice(PROJECT)
    if kind == "plain":
        # Wordings are names here: one of them is kept for the evaluation.
        name = names[-1] if split == "eval" else rng.choice(names[:-1])
        frame = pick(rng, FRAMES["plain"], split) if rng.random() < 0.5 else "{x}?"
    else:
        name = rng.choice(names)
        frame = pick(rng, FRAMES[kind], split)
    question = frame.format(x=name)
    return question[0].upper() + question[1:], answer, words


GREETINGS = [
    (["Hello!", "Hi!", "Hey!", "Hello", "hi", "Good morning!", "Good evening!", "Hi there!", "Hello there!", "Hey there!", "Good day!", "Greetings!"], "Hello! How can I help you?"),
    (["Thank you!", "Thanks!", "Thanks a lot!", "Great, thank you.", "thank you very much", "Cheers!", "Perfect, thanks!", "Many thanks!", "Thanks, that helps."], "You are welcome!"),
    (["Goodbye!", "Bye!", "See you!", "Bye bye", "That is all, bye.", "I have to go now.", "See you later!", "Farewell!", "Good night!"], "Goodbye!"),
    (["How are you?", "How are you doing?", "How is it going?", "Are you well?", "How do you feel?", "What's up?", "How are things?"], "I am fine, thank you. What can I do for you?"),
    (["I am sad.", "I feel bad today.", "I had a bad day.", "I am tired.", "Today was hard.", "I feel lonely."], "I am sorry to hear that. I hope it gets better soon."),
    (["I am happy!", "What a nice day!", "I had a great day.", "Good news today!", "I feel great!"], "I am glad to hear that!"),
    (["ok", "Okay.", "I see.", "Alright.", "Understood.", "Good."], "Is there anything else that I can do for you?"),
    (["Tell me a joke.", "Do you know a joke?", "Make me laugh.", "Say something funny.", "A joke, please!"], "Why did the page go to the cache? It wanted to be read sooner."),
]


def small_talk(rng, split):
    said, answer = rng.choice(GREETINGS)
    return pick(rng, said, split), answer


UNKNOWN = [
    "Who won the {t} in {y}?", "What is the population of {w}?", "When was {p} born?", "How tall is {p}?", "Who wrote the book {w}?", "What is the capital of {w}?", "Who discovered {w}?",
    "What happened in {y}?", "How old is {p}?", "Which team won in {c} last week?", "Who is the mayor of {c}?", "How many people live in {c}?", "What does {p} do for a living?", "How deep is the lake of {w}?",
    "Who is {p}?", "What is the meaning of {w}?", "When did {p} move to {c}?", "Who invented the {o}?", "How much does a {o} weigh?", "What is the best restaurant in {c}?", "Who sang {w}?", "Which king ruled in {y}?",
    "What is the name of the neighbour of {p}?", "Where does {p} work?", "Why did {p} leave {c}?", "What did {p} eat yesterday?", "Who painted the {o} of {c}?", "When was the bridge of {c} built?", "How long is the river {w}?",
    "What was the weather in {c} in {y}?", "Who lives next to {p}?", "How many {a}s are there in {c}?", "What color is the house of {p}?", "What is the phone number of {p}?", "When is the birthday of {p}?",
    "Which language do they speak in {w}?", "Tell me the history of {c}.", "Tell me about {p}.", "Explain the theory of {w}.", "Who directed the film {w}?", "How far away is the star {w}?", "What is the chemical formula of {w}?",
    "Who founded {c}?", "What are the lottery numbers of {y}?", "Which {a} is the oldest in the world?", "What is inside the {o} of {p}?", "How many books did {p} write?", "Which horse won the race in {c}?"]

UNKNOWN_ANSWERS = ["I do not know that.", "I am sorry, I do not know that.", "That I do not know."]


def unknown(rng, split):
    question = pick(rng, UNKNOWN, split).format(
        t=rng.choice(("chess championship", "world cup", "election", "race", "tennis final", "song contest")), y=rng.randrange(1200, 2030), w=made_up(rng).capitalize(), p=person(rng, split),
        c=pick(rng, CITIES, split), o=pick(rng, OBJECTS, split), a=pick(rng, ANIMALS, split))
    return question, UNKNOWN_ANSWERS[0]
