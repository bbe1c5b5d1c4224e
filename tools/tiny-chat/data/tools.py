"""Tools: the five that the evaluation names, and a generator of tools that nobody has seen.

A tool here is a dict {name, description, parameters: {name: (type, description, required)}} and becomes the JSON of a chat
request by `schema`. Tools of the kind `Invented` are made by the hundred thousand from verbs, objects and made-up words, so
that the only way to use one is to read its description.
"""

from words import *


def schema(tool):
    properties, required = {}, []
    for name, (kind, description, needed) in tool["parameters"].items():
        if isinstance(kind, (list, tuple)):
            properties[name] = {"type": "string", "enum": list(kind), "description": description}
        else:
            properties[name] = {"type": kind, "description": description}
        if not description:
            del properties[name]["description"]
        if needed:
            required.append(name)
    return {"type": "function", "function": {"name": tool["name"], "description": tool["description"],
            "parameters": {"type": "object", "properties": properties, "required": required}}}


def _styled(rng, name):
    """The same name as programmers write it: get_weather, getWeather, GetWeather, get-weather, Weather_get..."""
    words = name.split("_")
    style = rng.random()
    if style < 0.6:
        return name
    if style < 0.75:
        return words[0] + "".join(w.capitalize() for w in words[1:])
    if style < 0.9:
        return "".join(w.capitalize() for w in words)
    return rng.choice(("app", "home", "utils", "my", "assistant")) .capitalize() + "_" + "".join(w.capitalize() for w in words)


# Names, descriptions and parameter names of the known tools, in several wordings: a developer does not use ours.
WEATHER = dict(
    names=["get_weather", "weather", "get_current_weather", "current_weather", "weather_report", "look_up_weather", "get_forecast"],
    descriptions=["Get the current weather for a city.", "Gets the weather in a given location.", "Returns temperature and conditions for a city.",
                  "Current weather at a place.", "Look up the weather forecast of a city.", "Tells the weather."],
    city=["city", "location", "place", "city_name"],
    city_d=["The city name", "Name of the city", "City, for example Paris", "Where", "The place to look up", ""])

TIME = dict(
    names=["get_time", "current_time", "get_current_time", "time_in_city", "clock", "local_time"],
    descriptions=["Get the current time in a city.", "Returns the local time of a place.", "Tells what time it is in a city.", "Current local time.", "Reads the clock of a city."],
    city=["city", "location", "place", "timezone_city"],
    city_d=["The city name", "Name of the city", "City whose time is wanted", "Where", ""])

CALC = dict(
    names=["calculate", "calculator", "evaluate_expression", "compute", "do_math", "math"],
    descriptions=["Evaluate an arithmetic expression.", "A calculator for arithmetic.", "Computes the result of a mathematical expression.", "Calculates an expression such as 2 + 3 * 4."],
    expression=["expression", "formula", "input", "expr"],
    expression_d=["The expression, such as 12 * 7", "What to compute", "Arithmetic expression", "An expression with + - * /", ""])

SEARCH = dict(
    names=["search", "search_web", "web_search", "internet_search", "find_information", "lookup"],
    descriptions=["Search the web.", "Searches the internet for a query.", "Finds web pages about a topic.", "Look something up on the internet."],
    query=["query", "q", "search_query", "text", "keywords"],
    query_d=["What to search for", "The search query", "Search terms", "Words to look for", ""])

REMIND = dict(
    names=["set_reminder", "create_reminder", "add_reminder", "remind_me", "schedule_reminder", "new_reminder"],
    descriptions=["Set a reminder.", "Creates a reminder for a time.", "Reminds the user of something at a time.", "Add a reminder with a text and a time."],
    text=["text", "task", "message", "what", "title"],
    text_d=["What to remember", "The reminder's text", "What the user wants to do", "Text of the reminder", ""],
    time=["time", "when", "at", "due", "remind_at"],
    time_d=["When to remind", "Time, such as 18:30", "The time of the reminder", "Time of day", ""])


def known(rng, kind, canonical=None):
    """A known tool in some wording. Returns the tool and the names of its parameters by role."""
    table = {"weather": WEATHER, "time": TIME, "calculate": CALC, "search": SEARCH, "reminder": REMIND}[kind]
    canonical = rng.random() < 0.35 if canonical is None else canonical
    def choose(key):
        return table[key][0] if canonical else rng.choice(table[key])
    name = table["names"][0] if canonical else _styled(rng, rng.choice(table["names"]))
    tool = {"name": name, "description": choose("descriptions"), "parameters": {}}
    roles = {}
    for role in ("city", "expression", "query", "text", "time"):
        if role in table:
            roles[role] = choose(role)
            tool["parameters"][roles[role]] = ("string", choose(role + "_d"), True)
    if kind == "weather" and not canonical and rng.random() < 0.3:
        roles["unit"] = rng.choice(("unit", "units", "scale"))
        tool["parameters"][roles["unit"]] = (("celsius", "fahrenheit"), rng.choice(("Temperature unit", "Unit of the temperature", "")), rng.random() < 0.2)
    return tool, roles


# Tools that are invented. A blueprint gives verb phrases of the description and of the request that mean the same, and its
# parameters with how a value is said. {0}, {1} in a request are the values in the order of the parameters.
def _p(name, kind, description, draw):
    return (name, kind, description, draw)


def _int(low, high):
    return lambda rng, split: rng.randrange(low, high)


def _of(values):
    return lambda rng, split: pick(rng, values, split)


def _choice(*values):
    return lambda rng, split: rng.choice(values)


def _name(rng, split):
    return person(rng, split)


def _city(rng, split):
    return pick(rng, CITIES, split)


def _word(rng, split):
    return made_up(rng) if rng.random() < 0.5 else any_word(rng, split)


def _code(rng, split):
    return code(rng)


def _clock(rng, split):
    return f"{rng.randrange(24):02d}:{rng.choice((0, 5, 10, 15, 20, 30, 40, 45, 50)):02d}"


def _email(rng, split):
    return f"{pick(rng, FIRST_NAMES, split).lower()}@{made_up(rng)}.{rng.choice(('com', 'org', 'net'))}"


def _chore(rng, split):
    return pick(rng, CHORES, split)


def _topic(rng, split):
    return pick(rng, TOPICS, split)


ROOMS = ["kitchen", "bedroom", "bathroom", "office", "hall", "garage", "living room", "attic", "cellar", "nursery", "garden", "terrace"]
LANGUAGES = ["French", "German", "Spanish", "Italian", "Dutch", "Polish", "Swedish", "Greek", "Turkish", "Japanese", "Korean", "Arabic", "Hindi", "Finnish"]
CURRENCIES = ["euros", "dollars", "pounds", "yen", "francs", "kroner", "pesos", "rupees"]
TICKERS = lambda rng, split: "".join(rng.choice("ABCDEFGHIKLMNOPRSTVXZ") for _ in range(rng.choice((3, 4))))

# (name, description, parameters, requests)
BLUEPRINTS = [
    ("send_email", "Send an email to someone.", [_p("recipient", "string", "Email address", _email), _p("subject", "string", "Subject line", _topic)],
     ["Send an email to {0} about {1}.", "Write {0} a mail with the subject {1}.", "Please email {0}, subject {1}.", "Mail {0} about {1}"]),
    ("play_music", "Play music by an artist.", [_p("artist", "string", "Name of the artist", _name)],
     ["Play something by {0}.", "I want to hear {0}.", "Put on some {0}, please.", "Can you play music by {0}?"]),
    ("turn_on_light", "Switch on the light in a room.", [_p("room", "string", "Which room", _of(ROOMS))],
     ["Turn on the light in the {0}.", "It is dark in the {0}, switch the lamp on.", "Lights on in the {0}, please.", "Could you light up the {0}?"]),
    ("set_temperature", "Set the heating of a room to a temperature.", [_p("room", "string", "Which room", _of(ROOMS)), _p("degrees", "integer", "Degrees Celsius", _int(10, 30))],
     ["Set the {0} to {1} degrees.", "Heat the {0} to {1} degrees.", "I want {1} degrees in the {0}.", "Make it {1} degrees in the {0}, please."]),
    ("translate_text", "Translate a text into another language.", [_p("text", "string", "Text to translate", _chore), _p("language", "string", "Target language", _of(LANGUAGES))],
     ["Translate \"{0}\" into {1}.", "How do you say \"{0}\" in {1}?", "What is \"{0}\" in {1}?", "Give me \"{0}\" in {1}."]),
    ("convert_currency", "Convert an amount of money into another currency.", [_p("amount", "integer", "How much", _int(2, 5000)), _p("from", "string", "Currency of the amount", _of(CURRENCIES)), _p("to", "string", "Wanted currency", _of(CURRENCIES))],
     ["How much are {0} {1} in {2}?", "Convert {0} {1} to {2}.", "Change {0} {1} into {2}.", "What do I get in {2} for {0} {1}?"]),
    ("get_stock_price", "Get the price of a share.", [_p("symbol", "string", "Ticker symbol", TICKERS)],
     ["What is {0} trading at?", "Price of {0} shares?", "How is the {0} stock doing?", "Tell me the share price of {0}."]),
    ("book_table", "Book a table in a restaurant.", [_p("restaurant", "string", "Name of the restaurant", lambda r, s: made_up(r).capitalize()), _p("people", "integer", "Number of guests", _int(2, 12)), _p("time", "string", "When", _clock)],
     ["Book a table at {0} for {1} people at {2}.", "Reserve a table for {1} at {0}, {2}.", "We are {1} and want to eat at {0} at {2}.", "Table for {1} at {2} in {0}, please."]),
    ("track_parcel", "Tell where a parcel is.", [_p("number", "string", "Tracking number", _code)],
     ["Where is my parcel {0}?", "Track {0}.", "Has the package {0} arrived?", "I am waiting for parcel {0}, where is it?"]),
    ("start_timer", "Start a countdown.", [_p("minutes", "integer", "Length in minutes", _int(1, 120))],
     ["Start a timer for {0} minutes.", "Count down {0} minutes.", "Wake me up in {0} minutes.", "Give me a {0} minute timer."]),
    ("add_contact", "Save a person's phone number.", [_p("name", "string", "Who", _name), _p("phone", "string", "Phone number", lambda r, s: "".join(str(r.randrange(10)) for _ in range(7)))],
     ["Save {0} with the number {1}.", "Add {0} to my contacts, {1}.", "{0} has the phone number {1}, please store it.", "New contact {0}: {1}"]),
    ("call_person", "Make a phone call.", [_p("name", "string", "Who to call", _name)],
     ["Call {0}.", "Ring {0}, please.", "Get {0} on the phone.", "I need to talk to {0}, dial the number."]),
    ("add_to_cart", "Put a product into the shopping cart.", [_p("product", "string", "What to buy", _word), _p("quantity", "integer", "How many", _int(1, 20))],
     ["Put {1} {0} into my cart.", "Add {1} {0} to the shopping cart.", "I would like to buy {1} {0}.", "Order {1} {0} for me."]),
    ("create_note", "Write down a note.", [_p("text", "string", "Text of the note", _chore)],
     ["Note: {0}.", "Write down that I must {0}.", "Make a note to {0}.", "Jot down: {0}"]),
    ("get_distance", "Tell how far two cities are from each other.", [_p("from", "string", "First city", _city), _p("to", "string", "Second city", _city)],
     ["How far is it from {0} to {1}?", "Distance between {0} and {1}?", "How many kilometres are there between {0} and {1}?", "Tell me how far {1} is from {0}."]),
    ("find_flight", "Find flights between two cities on a day.", [_p("origin", "string", "City of departure", _city), _p("destination", "string", "City of arrival", _city), _p("day", "string", "Day of the week", _of(DAYS))],
     ["Find a flight from {0} to {1} on {2}.", "I want to fly from {0} to {1} on {2}.", "Any planes from {0} to {1} this {2}?", "Flights {0} to {1}, {2}"]),
    ("get_recipe", "Find a recipe with an ingredient.", [_p("ingredient", "string", "Main ingredient", _of(FOODS))],
     ["What can I cook with {0}?", "Give me a recipe with {0}.", "I have {0}, what shall I make?", "Find a dish that uses {0}."]),
    ("open_file", "Open a file by its name.", [_p("name", "string", "File name", lambda r, s: made_up(r) + r.choice((".txt", ".pdf", ".csv", ".md")))],
     ["Open {0}.", "Show me the file {0}.", "I want to see {0}.", "Please open the document {0}"]),
    ("delete_file", "Delete a file by its name.", [_p("name", "string", "File name", lambda r, s: made_up(r) + r.choice((".txt", ".pdf", ".csv", ".md")))],
     ["Delete {0}.", "Remove the file {0}.", "Get rid of {0}.", "I no longer need {0}, erase it."]),
    ("get_user", "Read a user's record.", [_p("id", "integer", "Number of the user", _int(1, 10_000))],
     ["Show user {0}.", "Look up the user with id {0}.", "Who is user number {0}?", "I need the record of user {0}."]),
    ("cancel_order", "Cancel an order.", [_p("order", "string", "Order number", _code)],
     ["Cancel my order {0}.", "I do not want order {0} any more.", "Please stop order {0}.", "Call off the order {0}"]),
    ("roll_dice", "Roll some dice.", [_p("count", "integer", "How many dice", _int(1, 10)), _p("sides", "integer", "Sides of a die", _choice(4, 6, 8, 10, 12, 20))],
     ["Roll {0} dice with {1} sides.", "Throw {0} dice that have {1} sides each.", "I need a roll of {0} dice, {1} sides.", "Please roll {0} {1}-sided dice."]),
    ("set_volume", "Set the loudness of the speaker.", [_p("level", "integer", "0 to 100", _int(0, 101))],
     ["Set the volume to {0}.", "Volume {0}, please.", "Make it as loud as {0}.", "Turn the sound to {0}."]),
    ("lock_door", "Lock a door of the house.", [_p("door", "string", "Which door", _of(ROOMS))],
     ["Lock the {0} door.", "Please close and lock the {0}.", "Is the {0} door locked? If not, lock it.", "Secure the {0} door."]),
    ("get_news", "Get the latest news about a subject.", [_p("subject", "string", "What the news are about", _topic)],
     ["What is new about {0}?", "News on {0}, please.", "Any headlines about {0}?", "Show me the latest news on {0}."]),
    ("define_word", "Explain the meaning of a word.", [_p("word", "string", "The word", _word)],
     ["What does {0} mean?", "Define {0}.", "Look up the meaning of {0}.", "Explain the word {0}."]),
    ("rent_car", "Rent a car in a city for some days.", [_p("city", "string", "Where", _city), _p("days", "integer", "For how long", _int(1, 21))],
     ["Rent a car in {0} for {1} days.", "I need a car for {1} days in {0}.", "Get me a rental in {0}, {1} days.", "A hired car in {0} for {1} days, please."]),
    ("measure_air", "Measure the air quality of a room.", [_p("room", "string", "Which room", _of(ROOMS))],
     ["How is the air in the {0}?", "Check the air quality of the {0}.", "Is the air good in the {0}?", "Measure the air in the {0}."]),
    ("assign_task", "Give a task to a member of the team.", [_p("member", "string", "Who", _name), _p("task", "string", "What to do", _chore)],
     ["Ask {0} to {1}.", "Assign to {0}: {1}.", "{0} should {1}.", "Give {0} the job to {1}."]),
    ("count_words", "Count the words of a text.", [_p("text", "string", "The text", _chore)],
     ["How many words are in \"{0}\"?", "Count the words of \"{0}\".", "Word count of \"{0}\"?", "Tell me how long \"{0}\" is in words."]),
]

VERBS = [("find", "Finds", "Find"), ("get", "Gets", "Get me"), ("create", "Creates", "Create"), ("remove", "Removes", "Remove"), ("start", "Starts", "Start"), ("stop", "Stops", "Stop"),
         ("check", "Checks", "Check"), ("open", "Opens", "Open"), ("close", "Closes", "Close"), ("list", "Lists", "List"), ("update", "Updates", "Update"), ("print", "Prints", "Print"),
         ("repair", "Repairs", "Repair"), ("paint", "Paints", "Paint"), ("move", "Moves", "Move"), ("clean", "Cleans", "Clean"), ("order", "Orders", "Order"), ("inspect", "Inspects", "Inspect"),
         ("measure", "Measures", "Measure"), ("reset", "Resets", "Reset"), ("sell", "Sells", "Sell"), ("buy", "Buys", "Buy"), ("lock", "Locks", "Lock"), ("label", "Labels", "Label")]

FIELDS = [("name", "string", "Name of the {o}", _name, "named {0}"), ("id", "integer", "Number of the {o}", _int(1, 10_000), "number {0}"), ("color", "string", "Color", _of(COLORS), "in {0}"),
          ("city", "string", "In which city", _city, "in {0}"), ("count", "integer", "How many", _int(2, 100), "{0} times"), ("code", "string", "Code of the {o}", _code, "with the code {0}"),
          ("owner", "string", "Who owns it", _name, "of {0}"), ("day", "string", "On which day", _of(DAYS), "on {0}"), ("room", "string", "In which room", _of(ROOMS), "in the {0}"),
          ("label", "string", "A label", lambda r, s: made_up(r), "labelled {0}"), ("price", "integer", "Price", _int(1, 900), "for {0} euros"), ("time", "string", "When", _clock, "at {0}")]


def invented(rng, split, count_fields=None):
    """A tool from parts: verb, object (often a made-up word) and one to three fields. Returns tool, request, arguments."""
    verb, third, imperative = pick(rng, VERBS, split) if split == "train" else rng.choice(VERBS)
    thing = made_up(rng) if rng.random() < 0.45 else any_word(rng, split)
    fields = rng.sample(FIELDS, count_fields or rng.choice((1, 1, 2, 2, 3)))
    tool = {"name": _styled(rng, f"{verb}_{thing}"), "description": rng.choice((f"{third} a {thing}.", f"{imperative.replace(' me', '')} a {thing}.", f"{third} one {thing} for the user.", f"Use this to {verb} a {thing}.")), "parameters": {}}
    arguments, said = {}, []
    for name, kind, description, draw, phrase in fields:
        value = draw(rng, split)
        tool["parameters"][name] = (kind, description.format(o=thing) if rng.random() < 0.8 else "", True)
        arguments[name] = value
        said.append(phrase.format(value))
    start = rng.choice((f"{imperative} the {thing}", f"Please {verb} the {thing}", f"I want to {verb} the {thing}", f"Can you {verb} a {thing}", f"{imperative} a {thing}", f"Could you {verb} the {thing}"))
    question = start.startswith(("Can", "Could"))
    return tool, f"{start} {' '.join(said)}" + ("?" if question else rng.choice((".", "", "."))), arguments


def blueprint(rng, split, chosen=None):
    """One of the blueprints, its names restyled and its parameters perhaps renamed. The evaluation has blueprints of its own."""
    candidates = [b for b in BLUEPRINTS if held_out_blueprint(b) == (split == "eval")]
    name, description, parameters, requests = chosen or rng.choice(candidates)
    tool = {"name": _styled(rng, name), "description": description, "parameters": {}}
    arguments, values = {}, []
    for parameter, kind, text, draw in parameters:
        value = draw(rng, split)
        tool["parameters"][parameter] = (kind, text if rng.random() < 0.85 else "", True)
        arguments[parameter] = value
        values.append(value)
    return tool, rng.choice(requests).format(*values), arguments


def held_out_blueprint(b):
    return b[0] in ("track_parcel", "turn_on_light", "find_flight", "roll_dice", "define_word", "rent_car")


def distractors(rng, split, used, count):
    """Other tools to stand beside the one that is needed: never two with a name."""
    tools, names = [], set(used)
    while len(tools) < count:
        way = rng.random()
        if way < 0.35:
            tool, _ = known(rng, rng.choice(("weather", "time", "calculate", "search", "reminder")))
        elif way < 0.7:
            tool, _, _ = blueprint(rng, "train" if split == "train" else rng.choice(("train", "eval")))
        else:
            tool, _, _ = invented(rng, split)
        # Search answers anything, so it is no distractor; its presence is trained on purpose where it is the right tool.
        if tool["name"] not in names and not (tool["description"] in SEARCH["descriptions"]):
            names.add(tool["name"])
            tools.append(tool)
    return tools
