"""Tools: the five that the evaluation names, about a hundred written down in blueprints.txt, and invented ones, of which no two are the same.

A tool here is a dict {name, description, parameters: {name: (type, description, required)}} and becomes the JSON of a chat request by
`schema`. Invented tools are made of verbs, objects and made-up words, so that the only way to use one is to read its description.
"""

import os
import pathlib

from words import *


def schema(tool):
    properties, required = {}, []
    for name, (kind, description, needed) in tool["parameters"].items():
        if isinstance(kind, (list, tuple)):
            p = {"type": "string", "enum": list(kind)}
        elif kind == "strings":
            p = {"type": "array", "items": {"type": "string"}}
        else:
            p = {"type": kind}
        if description:
            p["description"] = description
        properties[name] = p
        if needed:
            required.append(name)
    return {"type": "function", "function": {"name": tool["name"], "description": tool["description"], "parameters": {"type": "object", "properties": properties, "required": required}}}


def styled(rng, name):
    """The same name as programmers write it: get_weather, getWeather, GetWeather, get-weather, Home_GetWeather..."""
    words = name.split("_")
    style = rng.random()
    if style < 0.5:
        return name
    if style < 0.65:
        return words[0] + "".join(w.capitalize() for w in words[1:])
    if style < 0.9:
        return "".join(w.capitalize() for w in words)
    if style < 0.94:
        return "-".join(words)
    return rng.choice(("App", "Home", "Utils", "My", "Assistant", "Api", "Office")) + "_" + "".join(w.capitalize() for w in words)


# Names, descriptions and parameter names of the known tools, in several wordings: a developer does not use ours.
WEATHER = dict(
    names=["get_weather", "weather", "get_current_weather", "current_weather", "weather_report", "look_up_weather", "get_forecast", "forecast", "weather_for_city", "check_weather", "read_weather", "city_weather"],
    descriptions=["Get the current weather for a city.", "Gets the weather in a given location.", "Returns temperature and conditions for a city.", "Current weather at a place.", "Look up the weather forecast of a city.", "Tells the weather.",
                  "The weather of a city right now.", "Weather conditions in a town.", "How warm it is and whether it rains.", "Reports the weather somewhere.", "Fetches the forecast.", "Tells how the weather is in a place."],
    city=["city", "location", "place", "city_name", "town", "cityName", "where", "area"],
    city_d=["The city name", "Name of the city", "City, for example Paris", "Where", "The place to look up", "Which town", "The location", ""])

TIME = dict(
    names=["get_time", "current_time", "get_current_time", "time_in_city", "clock", "local_time", "world_clock", "time_of_day", "what_time", "city_time", "read_clock", "time_now"],
    descriptions=["Get the current time in a city.", "Returns the local time of a place.", "Tells what time it is in a city.", "Current local time.", "Reads the clock of a city.", "The time right now somewhere in the world.", "World clock.",
                  "What the clock shows in a town.", "Gives the hour in a city.", "Looks up the time of a location."],
    city=["city", "location", "place", "timezone_city", "town", "cityName", "where", "zone"],
    city_d=["The city name", "Name of the city", "City whose time is wanted", "Where", "The location", "Which town", ""])

CALC = dict(
    names=["calculate", "calculator", "evaluate_expression", "compute", "do_math", "math", "evaluate", "arithmetic", "solve", "calc", "eval_math", "sum_up"],
    descriptions=["Evaluate an arithmetic expression.", "A calculator for arithmetic.", "Computes the result of a mathematical expression.", "Calculates an expression such as 2 + 3 * 4.", "Does the math.", "Works out a calculation.", "Arithmetic with numbers.",
                  "Adds, subtracts, multiplies and divides.", "Gives the value of an expression.", "Pocket calculator."],
    expression=["expression", "formula", "input", "expr", "calculation", "term", "math", "problem"],
    expression_d=["The expression, such as 12 * 7", "What to compute", "Arithmetic expression", "An expression with + - * /", "The calculation to do", "The formula", ""])

SEARCH = dict(
    names=["search", "search_web", "web_search", "internet_search", "find_information", "lookup", "search_internet", "query_web", "browse", "look_up", "find_pages", "search_engine"],
    descriptions=["Search the web.", "Searches the internet for a query.", "Finds web pages about a topic.", "Look something up on the internet.", "A search engine.", "Finds information online.", "Searches for pages that match the words.", "Web search.", "Looks for something on the net."],
    query=["query", "q", "search_query", "text", "keywords", "terms", "topic", "phrase"],
    query_d=["What to search for", "The search query", "Search terms", "Words to look for", "What the user wants to know", "The question", ""])

REMIND = dict(
    names=["set_reminder", "create_reminder", "add_reminder", "remind_me", "schedule_reminder", "new_reminder", "remind", "reminder", "make_reminder", "save_reminder", "remember_to", "set_up_reminder"],
    descriptions=["Set a reminder.", "Creates a reminder for a time.", "Reminds the user of something at a time.", "Add a reminder with a text and a time.", "Remembers to tell the user something later.", "Schedules a reminder.", "Stores what to remember and when.",
                  "Makes a new reminder.", "Tells the user at a time what to do."],
    text=["text", "task", "message", "what", "title", "about", "content", "note"],
    text_d=["What to remember", "The reminder's text", "What the user wants to do", "Text of the reminder", "What to be reminded of", "The thing to do", ""],
    time=["time", "when", "at", "due", "remind_at", "moment", "date_time", "clock"],
    time_d=["When to remind", "Time, such as 18:30", "The time of the reminder", "Time of day", "When it is due", ""])

KNOWN = {"weather": WEATHER, "time": TIME, "calculate": CALC, "search": SEARCH, "reminder": REMIND}


def known(rng, kind, canonical=None):
    """A known tool in some wording. Returns the tool and the names of its parameters by role."""
    table = KNOWN[kind]
    canonical = rng.random() < 0.15 if canonical is None else canonical

    def choose(key):
        return table[key][0] if canonical else rng.choice(table[key])

    tool = {"name": styled(rng, choose("names")), "description": choose("descriptions"), "parameters": {}}
    roles = {}
    for role in ("city", "expression", "query", "text", "time"):
        if role in table:
            name = choose(role)
            while name in tool["parameters"]:
                name = choose(role)
            roles[role] = name
            tool["parameters"][name] = ("string", choose(role + "_d"), True)
    if kind == "reminder" and rng.random() < 0.25:
        tool["parameters"] = dict(reversed(tool["parameters"].items()))
    if kind == "weather" and not canonical and rng.random() < 0.3:
        roles["unit"] = rng.choice(("unit", "units", "scale", "degrees"))
        tool["parameters"][roles["unit"]] = (("celsius", "fahrenheit"), rng.choice(("Temperature unit", "Unit of the temperature", "Celsius or Fahrenheit", "")), rng.random() < 0.15)
    return tool, roles


# ---- values that a request holds: drawn, and how they are said in the request

ROOMS = ["kitchen", "bedroom", "bathroom", "office", "hall", "garage", "living room", "attic", "cellar", "nursery", "garden", "terrace", "dining room", "guest room", "library", "studio", "workshop", "corridor", "balcony", "laundry", "stable", "greenhouse", "pantry", "lobby"]
LANGUAGES = ["French", "German", "Spanish", "Italian", "Dutch", "Polish", "Swedish", "Greek", "Turkish", "Japanese", "Korean", "Arabic", "Hindi", "Finnish", "Danish", "Czech", "Portuguese", "Russian", "Chinese", "Latin", "Irish", "Swahili", "Thai", "Norwegian"]
CURRENCIES = ["euros", "dollars", "pounds", "yen", "francs", "kroner", "pesos", "rupees", "EUR", "USD", "GBP", "JPY", "CHF", "SEK", "krona", "zloty", "lira", "reais", "won", "rand"]
COUNTRIES = ["France", "Germany", "Spain", "Italy", "Norway", "Sweden", "Poland", "Greece", "Turkey", "Japan", "Korea", "Egypt", "India", "Finland", "Denmark", "Portugal", "Russia", "China", "Ireland", "Kenya", "Thailand", "Brazil", "Chile", "Peru", "Mexico", "Canada", "Austria", "Belgium",
             "Morocco", "Nepal", "Cuba", "Iceland", "Malta", "Oman", "Ghana", "Laos", "Fiji", "Panama", "Jordan", "Hungary", "Croatia", "Serbia", "Switzerland", "Scotland", "Wales", "England"]
PROBLEMS = """the login page is slow|the printer does not print|the search finds nothing|the app crashes|the door is broken|the heating is cold|the mail does not arrive|the total is wrong|the button is missing|the map is empty|the password is refused|the screen stays black
|the update fails|the picture is upside down|the page is not found|the sound is too loud|the water is cold|the bus is late|the soup was cold|the staff was friendly|the room was clean|the delivery was late|the bill is wrong|the lift is stuck|the food was great""".replace("\n", "").split("|")
HOSTS = "web db mail cache api auth files backup proxy search build test prod node edge main worker queue log shop".split()
EVENTS = "meeting lunch dinner party training workshop interview exam call review concert lesson appointment breakfast picnic match rehearsal presentation walk visit".split()


def title(rng, split):
    a, b = pick(rng, COMMON, split), pick(rng, COMMON, split)
    return rng.choice((lambda: f"The {a.capitalize()} {b.capitalize()}", lambda: f"{a.capitalize()} and {b.capitalize()}", lambda: made_up(rng).capitalize(), lambda: f"The {a.capitalize()} of {first_name(rng, split)}", lambda: f"{a.capitalize()} {b.capitalize()}",
                       lambda: f"The Last {a.capitalize()}", lambda: f"A {a.capitalize()} in {city(rng, split)}"))()


def clock(rng):
    return f"{rng.randrange(24):02d}:{rng.choice((0, 5, 10, 15, 20, 30, 40, 45, 50)):02d}" if rng.random() < 0.6 else f"{rng.randrange(1, 13)} {rng.choice(('am', 'pm'))}"


def date(rng):
    return rng.choice((lambda: f"{rng.choice(MONTHS)} {rng.randrange(1, 29)}", lambda: f"{rng.randrange(1, 29)} {rng.choice(MONTHS)}", lambda: f"20{rng.randrange(24, 40)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}", lambda: rng.choice(DAYS),
                       lambda: f"next {rng.choice(DAYS)}", lambda: rng.choice(("tomorrow", "today", "next week", "tonight"))))()


def email(rng, split):
    return f"{pick(rng, FIRST_NAMES, split).lower() if rng.random() < 0.7 else made_up(rng)}{rng.choice(('', '', '.' + made_up(rng), str(rng.randrange(100))))}@{made_up(rng)}.{rng.choice(('com', 'org', 'net', 'de', 'io', 'eu'))}"


def file(rng, split):
    return (made_up(rng) if rng.random() < 0.4 else any_word(rng, split)) + rng.choice(("", "", f"-{rng.randrange(100)}", f"_{pick(rng, COMMON, split)}", str(rng.randrange(10)))) + rng.choice((".txt", ".pdf", ".csv", ".md", ".json", ".xml", ".docx", ".log"))


def joined(values):
    return values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]


def decimal(rng, low, high):
    return rng.randrange(low, high) if rng.random() < 0.6 else round(rng.uniform(low, high), rng.choice((1, 2)))


def draw(rng, split, spec):
    """(JSON schema type, value, how the request says it)."""
    kind, _, rest = spec.partition(" ")
    if kind == "int":
        low, high = map(int, rest.split())
        value = rng.randrange(low, high + 1)
        return "integer", value, spoken_number(rng, value)
    if kind == "num":
        value = decimal(rng, *map(int, rest.split()))
        return "number", value, str(value)
    if kind in ("choice", "choice*", "choice2*"):
        options = rest.split(",")
        value = rng.choice(options)
        if options[0].isdigit():
            return "integer", int(value), value
        return ("string" if kind.endswith("*") else options), value, value
    if kind == "bool":
        value = rng.random() < 0.5
        return "boolean", value, rest.split("|")[0 if value else 1]
    if kind == "list":
        values = list(dict.fromkeys(any_word(rng, split) if rng.random() < 0.7 else made_up(rng) for _ in range(rng.choice((2, 3, 3, 4)))))
        return "strings", values, joined(values)
    if kind == "names":
        values = list(dict.fromkeys(first_name(rng, split) for _ in range(rng.choice((2, 3, 3, 4)))))
        return "strings", values, joined(values)
    value = {
        "city": lambda: city(rng, split), "person": lambda: person(rng, split), "first": lambda: first_name(rng, split), "made": lambda: made_up(rng).capitalize() if rng.random() < 0.7 else f"{pick(rng, COLORS, split).capitalize()} {pick(rng, ANIMALS, split).capitalize()}",
        "word": lambda: made_up(rng) if rng.random() < 0.5 else any_word(rng, split), "thing": lambda: thing(rng, split), "room": lambda: pick(rng, ROOMS, split), "language": lambda: rng.choice(LANGUAGES), "currency": lambda: rng.choice(CURRENCIES),
        "country": lambda: rng.choice(COUNTRIES) if rng.random() < 0.8 else made_up(rng).capitalize() + "land", "food": lambda: pick(rng, FOODS, split) if rng.random() < 0.8 else made_up(rng), "color": lambda: pick(rng, COLORS, split), "hobby": lambda: pick(rng, HOBBIES, split),
        "code": lambda: code(rng), "clock": lambda: clock(rng), "day": lambda: rng.choice(DAYS) if rng.random() < 0.75 else date(rng), "date": lambda: date(rng), "email": lambda: email(rng, split), "chore": lambda: chore(rng, split), "topic": lambda: topic(rng, split),
        "ticker": lambda: "".join(rng.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(rng.choice((3, 4)))), "phone": lambda: rng.choice(("", "+", "0")) + "".join(str(rng.randrange(10)) for _ in range(rng.randrange(5, 10))), "title": lambda: title(rng, split),
        "title2": lambda: rng.choice((f"{rng.choice(EVENTS)} with {first_name(rng, split)}", f"{pick(rng, HOBBIES, split)} {rng.choice(EVENTS)}", rng.choice(EVENTS), f"{first_name(rng, split)}'s {rng.choice(EVENTS)}")), "problem": lambda: pick(rng, PROBLEMS, split),
        "file": lambda: file(rng, split), "image": lambda: any_word(rng, split) + rng.choice((".png", ".jpg", ".gif")), "host": lambda: rng.choice((f"{rng.choice(HOSTS)}-{rng.randrange(1, 100)}", f"{rng.choice(HOSTS)}{rng.randrange(1, 10)}", made_up(rng), f"{rng.choice(HOSTS)}-{made_up(rng)}")),
        "version": lambda: f"{rng.randrange(10)}.{rng.randrange(20)}" + rng.choice(("", f".{rng.randrange(30)}")), "url": lambda: rng.choice(("", "https://", "www.")) + f"{made_up(rng)}.{rng.choice(('com', 'org', 'net'))}" + rng.choice(("", f"/{any_word(rng, split)}")),
    }[kind.rstrip("2")]()
    return "string", value, value


# ---- blueprints

def _read():
    blueprints = []
    for block in (pathlib.Path(__file__).parent / "blueprints.txt").read_text().strip().split("\n\n"):
        lines = block.split("\n")
        names = [n.strip() for n in lines[0].split(",")]
        parameters, asks, says = [], [], []
        for line in lines[1:]:
            word, _, rest = line.partition(" ")
            if word == "says":
                says = rest.split("|")
            elif word == "asks":
                asks.append(rest)
            else:
                which, spec, descriptions = (part.strip() for part in rest.split(" : ", 2)) if rest.count(" : ") == 2 else (rest.split(" : ")[0].strip(), rest.split(" : ")[1].strip(), "")
                optional = which.endswith("?")
                parameters.append((which.rstrip("?").split("/"), spec, descriptions.split("|"), optional))
        blueprints.append((names, says, parameters, asks))
    return blueprints


BLUEPRINTS = _read()
HELD_OUT = ("turn_on_light", "turn_off_light", "find_flight", "define_word", "rent_car", "roll_dice", "set_brightness", "convert_file")
SEEN = [b for b in BLUEPRINTS if b[0][0] not in HELD_OUT or os.environ.get("TINY_CHAT_LEG", "1") != "1"]
UNSEEN = [b for b in BLUEPRINTS if b[0][0] in HELD_OUT]


def blueprint(rng, split, chosen=None):
    """A tool of one of the blueprints, a request for it, and the arguments. The evaluation has blueprints of its own."""
    names, says, parameters, asks = chosen or rng.choice(SEEN if split == "train" else UNSEEN)
    tool = {"name": styled(rng, rng.choice(names)), "description": rng.choice(says), "parameters": {}}
    ask = request(rng, rng.choice(asks))
    arguments, shown, drawn = {}, [], []
    for choices, spec, descriptions, optional in parameters:
        name = rng.choice([c for c in choices if c not in tool["parameters"]] or choices)
        kind, value, said = draw(rng, split, spec)
        while value in drawn and not isinstance(value, bool):
            kind, value, said = draw(rng, split, spec)
        drawn.append(value)
        index = len(shown)
        shown.append(said)
        used = "{" + str(index) + "}" in ask
        if not used and not optional:
            ask = request(rng, rng.choice(asks))    # not reached by a well-formed blueprint
        tool["parameters"][name] = (kind, rng.choice(descriptions), not optional)
        if used:
            arguments[name] = value
    if len(tool["parameters"]) > 1 and rng.random() < 0.15:
        order = list(tool["parameters"].items())
        rng.shuffle(order)
        tool["parameters"] = dict(order)
    for i, said in enumerate(shown):
        ask = ask.replace("{" + str(i) + "}", said)
    if ask[0].islower() and rng.random() < 0.6:
        ask = ask[0].upper() + ask[1:]
    return tool, ask, arguments


VERBS = [("find", "Finds"), ("get", "Gets"), ("create", "Creates"), ("remove", "Removes"), ("start", "Starts"), ("stop", "Stops"), ("check", "Checks"), ("open", "Opens"), ("close", "Closes"), ("list", "Lists"), ("update", "Updates"), ("repair", "Repairs"), ("paint", "Paints"),
         ("move", "Moves"), ("clean", "Cleans"), ("order", "Orders"), ("inspect", "Inspects"), ("measure", "Measures"), ("reset", "Resets"), ("sell", "Sells"), ("buy", "Buys"), ("label", "Labels"), ("count", "Counts"), ("send", "Sends"), ("show", "Shows"), ("build", "Builds"),
         ("fill", "Fills"), ("empty", "Empties"), ("lift", "Lifts"), ("lower", "Lowers"), ("heat", "Heats"), ("cool", "Cools"), ("record", "Records"), ("copy", "Copies"), ("approve", "Approves"), ("reject", "Rejects"), ("archive", "Archives"), ("assign", "Assigns"), ("connect", "Connects"),
         ("turn", "Turns"), ("wash", "Washes"), ("fetch", "Fetches"), ("register", "Registers"), ("release", "Releases"), ("pause", "Pauses"), ("sort", "Sorts"), ("weigh", "Weighs"), ("describe", "Describes"), ("rename", "Renames"), ("activate", "Activates"), ("plan", "Plans"), ("scan", "Scans"),
         ("mix", "Mixes"), ("cut", "Cuts"), ("load", "Loads"), ("store", "Stores"), ("deliver", "Delivers"), ("test", "Tests"), ("watch", "Watches"), ("make", "Makes"), ("set", "Sets"), ("add", "Adds"), ("delete", "Deletes"), ("read", "Reads"), ("write", "Writes"), ("call", "Calls")]

# Parameter names, specification, descriptions, how the request says it. {o} is the tool's object.
FIELDS = [
    (("name", "title", "called"), "made", ("Name of the {o}", "How it is called", ""), ("named {0}", "called {0}", "with the name {0}", "by the name of {0}")),
    (("id", "number", "no"), "int 1 10000", ("Number of the {o}", "Which {o}", ""), ("number {0}", "with the number {0}", "no. {0}", "with id {0}")),
    (("color", "colour"), "color", ("Color", "Color of the {o}", ""), ("in {0}", "with the color {0}", "that is {0}", "of {0} color")),
    (("city", "town", "place"), "city", ("In which city", "Where", "Place of the {o}", ""), ("in {0}", "near {0}", "at {0}")),
    (("count", "quantity", "times"), "int 2 100", ("How many", "How often", ""), ("{0} times", "with a count of {0}", "in a quantity of {0}")),
    (("code", "key", "serial"), "code", ("Code of the {o}", "Serial number", ""), ("with the code {0}", "with code {0}", "under the code {0}", "{0}")),
    (("owner", "person", "customer", "user"), "person", ("Who owns it", "Whose {o}", "Owner", ""), ("of {0}", "for {0}", "that belongs to {0}")),
    (("day", "date", "when"), "day", ("On which day", "Day", "When", ""), ("on {0}", "for {0}")),
    (("room", "location", "where"), "room", ("In which room", "Which room", "Where the {o} is", ""), ("in the {0}", "from the {0}")),
    (("label", "tag", "mark"), "word", ("A label", "Label of the {o}", ""), ("labelled {0}", "with the label {0}", "tagged {0}", "marked {0}")),
    (("price", "cost", "amount"), "num 1 900", ("Price", "Price in euros", "What it costs", ""), ("for {0} euros", "at a price of {0}", "that costs {0}")),
    (("time", "at", "start"), "clock", ("When", "Time of day", "Start", ""), ("at {0}", "from {0} on", "starting at {0}")),
    (("size", "format"), "choice small,medium,large", ("Size of the {o}", "How big", ""), ("in size {0}", "in {0}", "that is {0}", "of {0} size")),
    (("speed", "mode"), "choice slow,normal,fast", ("How fast", "Speed", ""), ("in {0} mode", "at {0} speed")),
    (("level", "strength", "power"), "int 1 100", ("How strong", "Level", "1 to 100", ""), ("at level {0}", "with strength {0}", "with {0} percent")),
    (("minutes", "duration", "length"), "int 2 120", ("How long, in minutes", "Minutes", ""), ("for {0} minutes", "that takes {0} minutes")),
    (("weight", "kilograms", "kg"), "num 1 300", ("Weight in kilograms", "How heavy", ""), ("of {0} kilograms", "that weighs {0} kilos", "with {0} kg")),
    (("email", "contact"), "email", ("Email address", "Whom to tell", ""), ("for {0}", "and tell {0}", "with the address {0}")),
    (("material", "stuff"), "choice* wood,steel,glass,paper,cotton,stone,silver,plastic", ("Material of the {o}", "What it is made of", ""), ("made of {0}", "of {0}", "in {0}")),
    (("language",), "language", ("Language", "In which language", ""), ("in {0}",)),
    (("parts", "items", "contents"), "list", ("What belongs to it", "Parts of the {o}", ""), ("with {0}", "that has {0}", "containing {0}")),
    (("urgent", "express"), "bool urgently|without hurry", ("Whether it is urgent", "Be quick", ""), ("{0}",)),
    (("comment", "text", "message"), "chore", ("A comment", "What to say", ""), ("with the comment \"{0}\"", "and say \"{0}\"", "with the note \"{0}\"")),
    (("file", "path", "document"), "file", ("File name", "Which file", ""), ("from {0}", "in {0}", "with the file {0}")),
]


# Requests for a thing that do not say what is done with it.
NOUN_ASKS = ["I [need|want|would like] [the|a|my|some|one] {w}{t}.", "{W}{t}[.|, please.]", "[How|What] about [the|a|some] {w}{t}?", "[The|A|My] {w}{t}[, please.|.|]", "[What|How] is [the|my|our] {w}{t}?", "[Is there|Do we have|Can I have|Can I get|May I have|Could we have] [a|the|some] {w}{t}?", "[Time|It is time] for [the|a|some] {w}{t}.", "{W}: {v}",
             "We [need|want] [the|a|some] {w}{t}[ now| today|].", "[Give|Get|Bring|Show] [me|us] [the|a|my|some] {w}{t}[.|, please.]", "[Take care of|See to|Deal with|Look after|Handle] the {w}{t}.", "[What does|How does] the {w} [look|do|say]{t}?", "The {w} [should be|must be|is to be] {v}.", "I am [waiting for|looking for|asking about|thinking of] the {w}{t}.", "My {w} [is not here|is broken|is gone|worries me]{t}.", "[Let us|Let's] [have|do|try] the {w}{t}.", "The {v} [wants|could use|asks for|is ready for] [the|a] {w}.", "{V} [wants|could use|asks for|is ready for] [the|a] {w}.", "[Has|Did] the {w}{t} [come|work|finish]?", "[Is|Was] the {w} {v}?", "{W} {v}", "{V}, {w}.", "{v} {w}[, please|]"]


def _noun_parameter(rng, split):
    """A parameter whose name is some noun, and how its value is said: only reading tells what belongs to it."""
    name = pick(rng, COMMON, split) if rng.random() < 0.7 else any_word(rng, split)
    way = rng.random()
    if way < 0.35:
        value = rng.randrange(1, rng.choice((10, 100, 500)))
        unit = name if name.endswith("s") else name + "s"
        said = spoken_number(rng, value)
        return rng.choice((name, unit)).replace(" ", "_"), "integer", value, rng.choice((f"with {said} {unit}", f"{said} {unit}", f"for {said} {unit}", f"of {said} {unit}", f"at {name} {said}", f"to {said}", f"with {name} {said}"))
    if way < 0.55:
        options = list(dict.fromkeys(any_word(rng, split) if rng.random() < 0.8 else made_up(rng) for _ in range(rng.choice((2, 3, 3, 4)))))
        value = rng.choice(options)
        return name, options, value, rng.choice((f"with {value}", f"{value}", f"in {value}", f"on {value}", f"to {value}", f"for {value}", f"the {value} one", f"at {value}", f"{value} {name}"))
    if way < 0.63:
        value = rng.random() < 0.5
        return name, "boolean", value, rng.choice((f"{'with' if value else 'without'} {name}", f"with {name} {'on' if value else 'off'}", f"{name}: {'yes' if value else 'no'}", f"and {'do' if value else 'no'} {name}"))
    value = rng.choice((lambda: any_word(rng, split), lambda: made_up(rng), lambda: person(rng, split), lambda: title(rng, split), lambda: city(rng, split), lambda: f"{any_word(rng, split)} {any_word(rng, split)}", lambda: f"{made_up(rng)} {rng.randrange(1, 300)}", lambda: code(rng), lambda: date(rng), lambda: f"{rng.randrange(1, 400)} {named(rng)} {rng.choice(('Street', 'Road', 'Lane', 'Avenue', 'Square', 'Way', 'Hill', 'Court'))}",
                        lambda: some_noun(rng, split).removeprefix("the "), lambda: f"{rng.randrange(1, 60)} {any_word(rng, split)}"))()
    return name, "string", value, rng.choice((f"with {value}", f"{value}", f"for {value}", f"of {value}", f"to {value}", f"with the {name} {value}", f"{name} {value}", f"at {value}", f"from {value}", f"on {value}", f"called {value}", f"in {value}"))


def invented(rng, split, verb=None, object_=None):
    """A tool from parts: verb, object (often a made-up word) and up to four fields. Returns tool, request, arguments."""
    do, does = verb or rng.choice(VERBS)
    if verb is None and rng.random() < 0.3:
        do = pick(rng, VERBS_OF_CHORES, split).split()[0] if rng.random() < 0.5 else any_word(rng, split)
        does = do.capitalize() + ("es" if do[-1] in "shx" else "s")
    what = object_ or rng.choice((lambda: made_up(rng), lambda: pick(rng, COMMON, split), lambda: any_word(rng, split), lambda: thing(rng, split), lambda: f"{any_word(rng, split)} {thing(rng, split)}"))()
    tool = {"name": styled(rng, rng.choice((f"{do}_{what}", f"{do}_{what}", f"{what}_{do}", f"{do}_the_{what}", what)).replace(" ", "_")), "parameters": {},
            "description": rng.choice((f"{does} a {what}.", f"{do.capitalize()} a {what}.", f"{does} one {what} for the user.", f"Use this to {do} a {what}.", f"{does} {what}s.", f"This function {does.lower()} a {what}.", f"{do.capitalize()} the {what} of the user.", f"{does} a {what} and says when it is done.", f"{does} the {what}.",
                                       f"{does} the {what} of the {any_word(rng, split)}.", f"{does} a {what} {rng.choice(PREPOSITIONS)} {some_noun(rng, split)}.", f"{does} a {rng.choice(ADJECTIVES)} {what}.", f"{does} the {what} or the {any_word(rng, split)}."))}
    arguments, said, plain = {}, [], []
    fields = rng.sample(FIELDS, 4)
    for i in range(rng.choice((0, 1, 1, 1, 2, 2, 2, 3, 4))):
        optional = rng.random() < 0.2
        if rng.random() < 0.55:
            name, kind, value, phrase = _noun_parameter(rng, split)
            name = name.split()[0]
            if name in tool["parameters"]:
                continue
            description = rng.choice((f"The {name}", f"Which {name}", f"{name.capitalize()} of the {what}", "", "")) if kind != "integer" else rng.choice((f"How many {name}", f"Number of {name}", f"The {name}", ""))
            shown = str(value)
        else:
            names, spec, descriptions, phrases = fields[i]
            names = [n for n in names if n not in tool["parameters"]]
            if not names:
                continue
            name = rng.choice(names)
            kind, value, shown = draw(rng, split, spec)
            phrase, description = rng.choice(phrases).replace("{0}", shown), rng.choice(descriptions).format(o=what)
        tool["parameters"][name] = (kind, description, not optional)
        if optional and rng.random() < 0.5:
            continue
        arguments[name] = value
        said.append(phrase)
        plain.append(shown)
    if rng.random() < 0.3:
        rng.shuffle(said)
    before = ""
    if len(said) > 1 and rng.random() < 0.25:
        # The first value stands before the thing.
        first = next(iter(arguments))
        if isinstance(arguments[first], str) and " " not in arguments[first]:
            before = arguments[first] + " "
            said = [s for s in said if arguments[first] not in s]
            if len(said) != len(arguments) - 1:
                return invented(rng, split, verb, object_)
    tail = "".join((" and " if i and rng.random() < 0.2 and not s.startswith("and ") else ", " if rng.random() < 0.2 else " ") + s for i, s in enumerate(said))
    way = rng.random()
    if way < 0.3:
        frame = say(rng, rng.choice(NOUN_ASKS))
        if "{v}" in frame.lower() and (len(plain) != 1 or isinstance(next(iter(arguments.values())), (list, bool))):
            frame = "I need the {w}{t}."
        ask = frame.replace("{W}", before + what if before else "{W}").replace("{w}", before + what).replace("{W}", what[0].upper() + what[1:]).replace("{t}", tail).replace("{v}", plain[0] if plain else "").replace("{V}", plain[0][0].upper() + plain[0][1:] if plain else "")
        ask = tidy(ask)
    else:
        ask = request(rng, rng.choice((f"{do} [the|a|my|this|one|our|] {before}{what}" + "{0}", f"{do} [the|a|my] {before}{what}" + "{0}", f"{do} " + "{0}" + f" [the|a|my] {before}{what}"))).replace("{0}", tail, 1)
        ask = tidy(ask)
    return tool, ask, arguments


def distractors(rng, split, used, count, fresh=False):
    """Other tools to stand beside the one that is needed: never two with a name or a description. Fresh: none of the five known ones."""
    tools, names, said = [], {t["name"] for t in used}, {t["description"] for t in used}
    kinds = {kind for kind, table in KNOWN.items() for t in used if t["description"] in table["descriptions"]}
    while len(tools) < count:
        way = rng.random() if not fresh else rng.uniform(0.4, 1)
        if way < 0.4:
            kind = rng.choice(list(KNOWN))
            if kind in kinds:
                continue
            kinds.add(kind)
            tool, _ = known(rng, kind)
        elif way < 0.75:
            tool, _, _ = blueprint(rng, "train" if split == "train" else rng.choice(("train", "eval")))
        else:
            tool, _, _ = invented(rng, split)
        if tool["name"] not in names and tool["description"] not in said:
            names.add(tool["name"])
            said.add(tool["description"])
            tools.append(tool)
    return tools
