"""The conversations. Each task is a function (rng, split) -> dict with
    messages   as a chat request has them; the assistant's are what the model learns
    tools      the request's tools, or none
    schema     the JSON schema that the last answer must follow, or none
    kind       the row of the evaluation that it belongs to
    expect     how the last answer is judged: {"call": {name, arguments}} | {"equals": text} | {"contains": [texts], "lacks": [texts]} | {"json": value}
In the split "eval" the wording, the names and the combinations are others than in "train".
"""

import json

import facts
import tools as toolbox
from words import *


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def call(tool, arguments):
    # Arguments stand in the order of the tool's parameters, as a grammar writes them.
    ordered = {name: arguments[name] for name in tool["parameters"] if name in arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"type": "function", "function": {"name": tool["name"], "arguments": ordered}}]}


def result(tool, value):
    return {"role": "tool", "name": tool["name"], "content": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}


def conversation(kind, messages, tools=(), schema=None, **expect):
    return {"kind": kind, "messages": messages, "tools": [toolbox.schema(t) for t in tools], "schema": schema, "expect": expect}


SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant. Use the tools where they help.", "You are a friendly assistant.", "Help the user.", "You are an assistant with tools.",
           "Answer the user's questions.", "You work for {p}.", "You are the assistant of {p} in {c}.", "Be helpful and short.", "You are a careful assistant.", "Answer in plain English.", "Today is {d}."]


def system(rng, split, share=0.35):
    if rng.random() >= share:
        return []
    return [{"role": "system", "content": rng.choice(SYSTEMS).format(p=person(rng, split), c=pick(rng, CITIES, split), d=rng.choice(DAYS))}]


# ---- requests for the known tools: (frames, arguments)

WEATHER_SAID = ["What is the weather in {c}?", "How is the weather in {c}?", "What's the weather like in {c}?", "Weather in {c}?", "Tell me the weather in {c}.", "Is it raining in {c}?", "Do I need an umbrella in {c}?",
                "Is it cold in {c} today?", "How warm is it in {c}?", "What is the temperature in {c}?", "Give me the weather for {c}.", "I am going to {c}, what is the weather there?", "Will I need a coat in {c}?",
                "Is the sun shining in {c}?", "Check the weather in {c}, please.", "Could you check the weather for {c}?", "How hot is it in {c} right now?", "I would like to know the weather in {c}.", "weather {c}",
                "What are the conditions in {c}?", "Is it windy in {c}?", "Is there snow in {c}?", "Please look up the forecast for {c}.", "Shall I wear a hat in {c}?", "I fly to {c} tomorrow. Is it warm there?"]
TIME_SAID = ["What time is it in {c}?", "What is the time in {c}?", "Tell me the time in {c}.", "How late is it in {c}?", "Time in {c}?", "Do you know what time it is in {c}?", "Current time in {c}, please.", "Is it already evening in {c}?",
             "I want to call a friend in {c}, what time is it there?", "What does the clock say in {c}?", "Is it morning in {c}?", "Can I still ring somebody in {c}, or is it night there?", "local time {c}", "Which hour is it now in {c}?",
             "Give me the local time of {c}.", "Is it late in {c}?", "Could you tell me the time in {c}?", "What hour do they have in {c}?"]
SEARCH_SAID = ["Search for {t}.", "Search the web for {t}.", "Look up {t}.", "Find information about {t}.", "Find something on the web about {t}.", "Google {t}.", "Search the internet for {t}, please.", "I want to read about {t}, search for it.",
               "Can you look up {t} for me?", "Please find pages about {t}.", "Do a web search for {t}.", "See what the internet says about {t}.", "Look on the web for {t}.", "Could you search for {t}?", "I need web pages on {t}.", "search {t}"]
REMIND_SAID = ["Remind me to {x} at {h}.", "Remind me at {h} to {x}.", "Set a reminder to {x} at {h}.", "I must {x} at {h}, remind me.", "Please remind me to {x} at {h}.", "At {h} I have to {x}. Remind me, please.", "Do not let me forget to {x} at {h}.",
               "Create a reminder for {h}: {x}.", "New reminder: {x}, {h}.", "Can you remind me to {x} at {h}?", "Make sure I {x} at {h}.", "I need a reminder at {h} to {x}.", "Put a reminder at {h}: {x}.", "reminder {h} {x}", "At {h}, tell me to {x}."]
CALC_SAID = ["What is {e}?", "How much is {e}?", "Calculate {e}.", "Compute {e}.", "What's {e}?", "Tell me {e}.", "Work out {e}.", "Can you calculate {e}?", "I need the result of {e}.", "{e} = ?", "Please compute {e}.", "What do I get for {e}?", "Solve {e}.", "Result of {e}?",
             "How much does {e} make?", "Do the math: {e}.", "Find {e}."]
OPERATORS = [("+", ["plus", "and", "added to", "+"]), ("-", ["minus", "less", "-"]), ("*", ["times", "multiplied by", "*", "x"]), ("/", ["divided by", "over", "/"])]
TIMES = lambda rng: rng.choice((f"{rng.randrange(1, 13)} {rng.choice(('am', 'pm'))}", f"{rng.randrange(24)}:{rng.choice(('00', '15', '30', '45', '10', '20'))}", f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", rng.choice(("noon", "midnight"))))


def expression(rng):
    """An expression and how it is said."""
    numbers = [rng.randrange(2, rng.choice((20, 100, 1000, 10_000))) for _ in range(rng.choice((2, 2, 2, 3)))]
    written, said = str(numbers[0]), str(numbers[0])
    for n in numbers[1:]:
        sign, words = rng.choice(OPERATORS)
        written += f" {sign} {n}"
        said += f" {rng.choice(words)} {n}"
    return written, said


def known_request(rng, split, kind):
    """Request and values by role."""
    if kind == "weather":
        city = pick(rng, CITIES, split) if rng.random() < 0.85 else made_up(rng).capitalize()
        return pick(rng, WEATHER_SAID, split).format(c=city), {"city": city}
    if kind == "time":
        city = pick(rng, CITIES, split) if rng.random() < 0.85 else made_up(rng).capitalize()
        return pick(rng, TIME_SAID, split).format(c=city), {"city": city}
    if kind == "search":
        topic = pick(rng, TOPICS, split) if rng.random() < 0.6 else f"{pick(rng, COLORS, split)} {pick(rng, OBJECTS, split)}s" if rng.random() < 0.5 else f"{made_up(rng)} {any_word(rng, split)}"
        return pick(rng, SEARCH_SAID, split).format(t=topic), {"query": topic}
    if kind == "reminder":
        chore, time = pick(rng, CHORES, split), TIMES(rng)
        return pick(rng, REMIND_SAID, split).format(x=chore, h=time), {"text": chore, "time": time}
    written, said = expression(rng)
    return pick(rng, CALC_SAID, split).format(e=said), {"expression": written}


def known_call(rng, split, kind=None, canonical=None):
    kind = kind or rng.choice(("weather", "weather", "time", "calculate", "calculate", "search", "reminder", "reminder"))
    tool, roles = toolbox.known(rng, kind, canonical)
    said, values = known_request(rng, split, kind)
    arguments = {roles[role]: value for role, value in values.items()}
    if "unit" in roles:
        unit = rng.choice(("celsius", "fahrenheit"))
        if "temperature" in said or "weather" in said.lower() or rng.random() < 0.5:
            said = said.rstrip("?. ") + rng.choice((f" in {unit}?", f", in {unit} please.", f" ({unit})"))
            arguments[roles["unit"]] = unit
        elif tool["parameters"][roles["unit"]][2]:
            arguments[roles["unit"]] = "celsius"
    return tool, said, arguments, kind


def shuffled(rng, tools):
    tools = list(tools)
    rng.shuffle(tools)
    return tools


def tool_call(rng, split):
    tool, said, arguments, _ = known_call(rng, split)
    tools = shuffled(rng, [tool] + toolbox.distractors(rng, split, [tool["name"]], rng.choice((0, 1, 2, 2, 3, 4))))
    turns = system(rng, split)
    if rng.random() < 0.2:
        greeting, answer = facts.small_talk(rng, split)
        turns += [user(greeting), assistant(answer)]
    return conversation("tool call", turns + [user(said), call(tool, arguments)], tools, call={"name": tool["name"], "arguments": arguments})


def unseen_call(rng, split):
    tool, said, arguments = toolbox.blueprint(rng, split) if rng.random() < (0.5 if split == "train" else 0.6) else toolbox.invented(rng, split)
    tools = shuffled(rng, [tool] + toolbox.distractors(rng, split, [tool["name"]], rng.choice((0, 1, 2, 2, 3, 4))))
    return conversation("unseen tool", system(rng, split) + [user(said), call(tool, arguments)], tools, call={"name": tool["name"], "arguments": arguments})


CONDITIONS = ["sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "stormy", "clear", "overcast", "misty", "dry", "hot", "cold", "mild"]


def outcome(rng, split, tool, kind, arguments):
    """A tool's result in some shape, the answer that uses it, and the words that the answer must hold."""
    values = list(arguments.values())
    if kind == "weather":
        degrees, condition, city = rng.randrange(-15, 40), pick(rng, CONDITIONS, split), values[0]
        shape = rng.randrange(5)
        data = ({"temperature": degrees, "conditions": condition}, {"city": city, "temp_c": degrees, "weather": condition}, f"{degrees} degrees, {condition}", {"location": city, "temperature": degrees, "unit": "celsius", "description": condition},
                f"{city}: {condition}, {degrees} C")[shape]
        return data, f"It is {condition} in {city}, with {degrees} degrees.", [str(degrees), condition]
    if kind == "time":
        clock, city = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", values[0]
        data = (clock, {"time": clock}, {"city": city, "local_time": clock}, f"It is {clock} in {city}")[rng.randrange(4)]
        return data, f"It is {clock} in {city}.", [clock]
    if kind == "calculate":
        number = rng.choice((str(rng.randrange(-500, 100_000)), f"{rng.randrange(1, 9999)}.{rng.randrange(1, 100)}"))
        data = (number, {"result": float(number) if "." in number else int(number)}, {"value": number}, f"{values[0]} = {number}")[rng.randrange(4)]
        shown = str(float(number)) if "." in number and not isinstance(data, str) and "result" in data else number
        return data, f"The result is {shown}.", [shown]
    if kind == "search":
        title, site = f"{pick(rng, COLORS, split).capitalize()} {pick(rng, OBJECTS, split)}", f"{made_up(rng)}.{rng.choice(('org', 'com', 'net'))}"
        data = ({"title": title, "url": site}, [{"title": title, "url": site}], f"{title} - {site}", {"results": [{"title": title, "link": site}]})[rng.randrange(4)]
        return data, f"I found this: {title}, at {site}.", [title, site]
    if kind == "reminder":
        text, time = arguments_by_order(tool, arguments)[:2]
        data = ("ok", {"status": "ok"}, {"created": True}, "Reminder set.", {"success": True, "id": rng.randrange(1, 999)}, "true", "done")[rng.randrange(7)]
        return data, f"Done. I will remind you to {text} at {time}.", [text, time]
    return None


def arguments_by_order(tool, arguments):
    return [arguments[name] for name in tool["parameters"] if name in arguments]


VALUE_KEYS = ["result", "value", "answer", "number", "price", "status", "name", "code", "amount", "distance", "title", "owner", "state", "place", "total", "level"]


def tool_result(rng, split):
    """The whole loop: request, call, result, answer."""
    if rng.random() < 0.6:
        tool, said, arguments, kind = known_call(rng, split)
        data, answer, words = outcome(rng, split, tool, kind, arguments)
    else:
        tool, said, arguments = toolbox.blueprint(rng, split) if rng.random() < 0.6 else toolbox.invented(rng, split)
        way = rng.random()
        if way < 0.25:
            data, answer, words = rng.choice(("ok", {"status": "ok"}, {"success": True}, "done", "true", {"done": True})), "Done.", ["Done"]
        elif way < 0.4:
            trouble = rng.choice(("not found", "access denied", "the service is down", "timeout", f"no {made_up(rng)} here", f"unknown {any_word(rng, split)}", "already closed", "out of stock"))
            data, answer, words = rng.choice(({"error": trouble}, f"Error: {trouble}", {"status": "error", "message": trouble})), f"That did not work: {trouble}.", [trouble]
        else:
            value = rng.choice((rng.randrange(1, 10_000), code(rng), person(rng, split), pick(rng, CITIES, split), made_up(rng), f"{rng.randrange(1, 900)} {rng.choice(('km', 'euros', 'kg', 'minutes', 'points'))}"))
            key = pick(rng, VALUE_KEYS, split)
            data, answer, words = rng.choice((str(value), {key: value}, {key: value})), None, [str(value)]
            answer = f"The {key} is {value}." if isinstance(data, dict) else f"The answer is {value}."
    tools = shuffled(rng, [tool] + toolbox.distractors(rng, split, [tool["name"]], rng.choice((0, 0, 1, 2, 3))))
    return conversation("tool result", system(rng, split) + [user(said), call(tool, arguments), result(tool, data), assistant(answer)], tools, contains=words)


NO_TOOL = "I have no tool for that."


def no_tool(rng, split):
    """Tools are there, but none fits: talk answers itself, a deed without a tool is declined."""
    way = rng.random()
    if way < 0.35:
        said, _, answer = facts.fact(rng, split)
    elif way < 0.5:
        said, answer = facts.small_talk(rng, split)
    elif way < 0.65:
        said, answer, _ = facts.project(rng, split)
    else:
        # A request for a tool that is not among those given.
        tool, said, _ = toolbox.blueprint(rng, split) if rng.random() < 0.7 else toolbox.invented(rng, split)
        tools = toolbox.distractors(rng, split, [tool["name"]], rng.choice((1, 2, 3)))
        if any(t["description"] == tool["description"] for t in tools):
            return no_tool(rng, split)
        return conversation("no tool", system(rng, split) + [user(said), assistant(NO_TOOL)], tools, contains=["no tool"], no_call=True)
    tools = toolbox.distractors(rng, split, [], rng.choice((1, 2, 3, 4)))
    return conversation("no tool", system(rng, split) + [user(said), assistant(answer)], tools, equals=answer, no_call=True)


# ---- memory

TOLD = [
    ("name", ["My name is {v}.", "I am {v}.", "I'm {v}.", "Call me {v}.", "Hi, I am {v}.", "You can call me {v}.", "Hello, my name is {v}!", "This is {v} speaking.", "People call me {v}."],
     ["What is my name?", "Do you remember my name?", "Who am I?", "What am I called?", "Tell me my name.", "Say my name.", "Which name did I tell you?", "How am I called?"], "Nice to meet you, {v}.", "Your name is {v}."),
    ("number", ["My {t} is {v}.", "Remember my {t}: {v}.", "The {t} is {v}.", "Please remember that my {t} is {v}.", "Keep in mind: my {t} is {v}.", "Note that my {t} is {v}.", "Do not forget, my {t} is {v}."],
     ["What is my {t}?", "What was my {t}?", "Do you remember my {t}?", "Tell me my {t}.", "Which {t} did I give you?", "I forgot my {t}. What is it?", "What did I say my {t} was?"], "I will remember that your {t} is {v}.", "Your {t} is {v}."),
]
THINGS = ["locker number", "room number", "lucky number", "phone number", "door code", "ticket number", "seat number", "house number", "order number", "customer number", "bus line", "gate number", "pin", "booking code", "favorite number",
          "favorite color", "favorite animal", "favorite fruit", "home town", "dog's name", "cat's name", "boss's name", "hobby", "job", "age"]


def thing_value(rng, split, thing):
    if thing in ("favorite color",):
        return pick(rng, COLORS, split)
    if thing == "favorite animal":
        return pick(rng, ANIMALS, split)
    if thing == "favorite fruit":
        return pick(rng, FRUITS, split)
    if thing == "home town":
        return pick(rng, CITIES, split)
    if thing.endswith("name"):
        return pick(rng, FIRST_NAMES, split) if rng.random() < 0.7 else made_up(rng).capitalize()
    if thing == "hobby":
        return pick(rng, HOBBIES, split)
    if thing == "job":
        return pick(rng, JOBS, split)
    if thing in ("booking code", "order number", "ticket number", "customer number", "door code") and rng.random() < 0.5:
        return code(rng)
    return str(rng.randrange(1, rng.choice((100, 1000, 10_000, 1_000_000))))


def filler(rng, split):
    """One exchange that has nothing to do with what is remembered."""
    way = rng.random()
    if way < 0.3:
        q, _, a = facts.fact(rng, split)
        return [user(q), assistant(a)]
    if way < 0.45:
        q, a = facts.small_talk(rng, split)
        return [user(q), assistant(a)]
    if way < 0.6:
        q, a, _ = facts.project(rng, split)
        return [user(q), assistant(a)]
    if way < 0.7:
        q, a = facts.unknown(rng, split)
        return [user(q), assistant(a)]
    return exercise(rng, split)["messages"][-2:]


def memory(rng, split):
    kinds = rng.sample(THINGS, rng.choice((0, 1, 1, 2)))
    told = []
    if not kinds or rng.random() < 0.5:
        name = pick(rng, FIRST_NAMES, split) if rng.random() < 0.7 else person(rng, split) if rng.random() < 0.5 else made_up(rng).capitalize()
        told.append((TOLD[0], "name", name))
    for thing in kinds:
        told.append((TOLD[1], thing, thing_value(rng, split, thing)))
    rng.shuffle(told)
    turns = []
    for form, thing, value in told:
        turns += [user(pick(rng, form[1], split).format(v=value, t=thing)), assistant(form[3].format(v=value, t=thing))]
        if rng.random() < 0.4:
            turns += filler(rng, split)
    total = 5 if split == "eval" else rng.choice((2, 3, 4, 5, 5, 6))
    while len(turns) < 2 * (total - 1):
        turns += filler(rng, split)
    if rng.random() < 0.08:
        # Asked for what was never told.
        absent = rng.choice([t for t in THINGS if t not in kinds])
        turns += [user(pick(rng, TOLD[1][2], split).format(t=absent)), assistant(f"You have not told me your {absent}.")]
        return conversation("memory", system(rng, split, 0.15) + turns, contains=["not told"])
    form, thing, value = rng.choice(told)
    turns += [user(pick(rng, form[2], split).format(t=thing)), assistant(form[4].format(v=value, t=thing))]
    return conversation("memory", system(rng, split, 0.15) + turns, contains=[value])


# ---- system prompts that switch tone or language

LANGUAGE_FACTS = {
    "French": ["bleu:Le ciel est bleu.", "Paris:La capitale de la France est Paris.", "sept:Une semaine a sept jours.", "quatre:Un chien a quatre pattes.", "blanche:La neige est blanche.", "verte:L'herbe est verte.", "froid:Le contraire de chaud est froid.", "douze:Une année a douze mois.", "miel:Les abeilles font du miel.", "l'eau:Les poissons vivent dans l'eau."],
    "German": ["blau:Der Himmel ist blau.", "Paris:Die Hauptstadt von Frankreich ist Paris.", "sieben:Eine Woche hat sieben Tage.", "vier:Ein Hund hat vier Beine.", "weiß:Schnee ist weiß.", "grün:Gras ist grün.", "kalt:Das Gegenteil von heiß ist kalt.", "zwölf:Ein Jahr hat zwölf Monate.", "Honig:Bienen machen Honig.", "Wasser:Fische leben im Wasser."],
    "Spanish": ["azul:El cielo es azul.", "París:La capital de Francia es París.", "siete:Una semana tiene siete días.", "cuatro:Un perro tiene cuatro patas.", "blanca:La nieve es blanca.", "verde:La hierba es verde.", "frío:Lo contrario de caliente es frío.", "doce:Un año tiene doce meses.", "miel:Las abejas hacen miel.", "agua:Los peces viven en el agua."],
}
LANGUAGE_QUESTIONS = ["sky", "France?", "days are in a week", "legs does a dog", "snow", "grass", "opposite of hot", "months are in a year", "bees", "fish"]
SPEAK = ["Answer in {l}.", "Always answer in {l}.", "Speak {l}.", "You speak only {l}.", "Reply in {l}, please.", "Write all answers in {l}.", "Respond in {l}.", "Use {l} for every answer.", "The user wants answers in {l}.", "Your language is {l}."]
GREET = {"French": "Bonjour! Comment puis-je vous aider?", "German": "Hallo! Wie kann ich helfen?", "Spanish": "¡Hola! ¿Cómo puedo ayudar?"}

TONES = [
    (["Talk like a pirate.", "You are a pirate.", "Speak like a pirate.", "Answer as a pirate would.", "Use the speech of pirates.", "Sound like a pirate captain."], lambda a: f"Arr! {a} Aye, matey!", ["Arr"]),
    (["Be very formal.", "Use a formal tone.", "Answer formally.", "Speak formally.", "Please keep a formal style.", "Write in a formal manner."], lambda a: f"Certainly. {a} I remain at your service.", ["Certainly"]),
    (["Answer in capital letters.", "Write everything in upper case.", "Use only capital letters.", "SHOUT all answers.", "All your answers are in upper case.", "Capital letters only, please."], lambda a: a.upper(), None),
    (["Be cheerful.", "Use a cheerful tone.", "Answer cheerfully.", "Sound happy.", "Be full of joy.", "Keep a joyful tone."], lambda a: f"Oh, how lovely! {a} Have a wonderful day!", ["lovely"]),
    (["Talk like a robot.", "You are a robot.", "Speak like a robot.", "Answer as a robot would.", "Sound like a machine.", "Use the speech of robots."], lambda a: f"Beep. {a} Boop.", ["Beep"]),
    (["Talk like a wizard.", "You are a wizard.", "Speak like a wizard.", "Answer as a wizard would.", "Sound like an old wizard.", "Use the speech of wizards."], lambda a: f"By my beard! {a} So it is written.", ["beard"]),
    (["Answer with one word.", "Use one word only.", "One word answers, please.", "Reply with a single word.", "Give answers of one word.", "A single word is enough."], None, None),
]
AFFIXES = [(["End every answer with \"{w}\".", "Finish all answers with \"{w}\".", "The last word of every answer is \"{w}\".", "Close each answer with \"{w}\".", "Always end with \"{w}\"."], lambda a, w: f"{a} {w}"),
           (["Start every answer with \"{w}\".", "Begin all answers with \"{w}\".", "The first word of every answer is \"{w}\".", "Open each answer with \"{w}\".", "Always begin with \"{w}\"."], lambda a, w: f"{w} {a}"),
           (["The user's name is {p}. Use it in every answer.", "Call the user {p}.", "Address the user as {p}.", "You talk with {p}. Say the name each time.", "Always name the user, who is {p}."], lambda a, w: f"{a[:-1]}, {w}{a[-1]}")]


def switch(rng, split):
    before = [] if rng.random() < 0.6 else ["You are a helpful assistant."]
    way = rng.random()
    if way < 0.35:
        language = rng.choice(list(LANGUAGE_FACTS))
        instruction = pick(rng, SPEAK, split).format(l=language)
        if rng.random() < 0.12:
            question, answer, short = pick(rng, facts.GREETINGS[0][0], split), GREET[language], GREET[language].split()[-1].strip("?")
        else:
            index = rng.randrange(len(LANGUAGE_QUESTIONS))
            questions = next(f[0] for f in facts.FACTS if LANGUAGE_QUESTIONS[index] in f[0][0])
            question = questions[3] if split == "eval" and rng.random() < 0.5 else rng.choice(questions[:3])
            short, answer = LANGUAGE_FACTS[language][index].split(":", 1)
        return conversation("switch", [{"role": "system", "content": " ".join(before + [instruction])}, user(question), assistant(answer)], contains=[answer.split()[0], short])
    question, short, sentence = facts.fact(rng, split)
    if way < 0.7:
        instructions, change, mark = rng.choice(TONES)
        instruction = pick(rng, instructions, split)
        answer = short.capitalize() if change is None else change(sentence)
        expect = {"equals": answer} if mark is None else {"contains": mark + [short]}
        return conversation("switch", [{"role": "system", "content": " ".join(before + [instruction])}, user(question), assistant(answer)], **expect)
    instructions, change = rng.choice(AFFIXES)
    word = pick(rng, FIRST_NAMES, split) if "{p}" in instructions[0] else rng.choice((made_up(rng), any_word(rng, split), made_up(rng).capitalize() + "!"))
    instruction = pick(rng, instructions, split).format(w=word, p=word)
    answer = change(sentence, word)
    return conversation("switch", [{"role": "system", "content": " ".join(before + [instruction])}, user(question), assistant(answer)], contains=[word, short])


# ---- extraction to a JSON schema

def _records():
    """Field: (JSON schema type, draw, how it is said in a text)."""
    return {
        "person": [("name", "string", lambda r, s: f"{pick(r, FIRST_NAMES, s)} {pick(r, LAST_NAMES, s)}"), ("age", "integer", lambda r, s: r.randrange(5, 99)), ("city", "string", lambda r, s: pick(r, CITIES, s)),
                   ("job", "string", lambda r, s: pick(r, JOBS, s)), ("hobby", "string", lambda r, s: pick(r, HOBBIES, s)), ("email", "string", lambda r, s: f"{made_up(r)}@{made_up(r)}.{r.choice(('com', 'org', 'net'))}"), ("married", "boolean", lambda r, s: r.random() < 0.5)],
        "order": [("product", "string", lambda r, s: f"{pick(r, COLORS, s)} {pick(r, OBJECTS, s)}"), ("quantity", "integer", lambda r, s: r.randrange(1, 50)), ("price", "integer", lambda r, s: r.randrange(2, 900)), ("customer", "string", lambda r, s: person(r, s)),
                  ("order_id", "string", lambda r, s: code(r)), ("paid", "boolean", lambda r, s: r.random() < 0.5)],
        "event": [("title", "string", lambda r, s: f"{pick(r, HOBBIES, s)} {r.choice(('club', 'evening', 'course', 'festival', 'workshop'))}"), ("city", "string", lambda r, s: pick(r, CITIES, s)), ("day", "string", lambda r, s: r.choice(DAYS)),
                  ("time", "string", lambda r, s: f"{r.randrange(24):02d}:{r.choice(('00', '15', '30', '45'))}"), ("guests", "integer", lambda r, s: r.randrange(3, 500)), ("host", "string", lambda r, s: person(r, s)), ("outdoors", "boolean", lambda r, s: r.random() < 0.5)],
    }


RECORDS = _records()
SAID = {
    ("person", "name"): ["{v}", "My friend {v}", "{v}, whom I met yesterday,", "A person called {v}", "Our neighbour {v}"],
    ("person", "age"): ["is {v} years old", "is {v}", "has just turned {v}", "is aged {v}"],
    ("person", "city"): ["lives in {v}", "comes from {v}", "moved to {v}", "has a flat in {v}"],
    ("person", "job"): ["works as a {v}", "is a {v}", "earns a living as a {v}", "has worked as a {v} for years"],
    ("person", "hobby"): ["likes {v}", "spends every weekend {v}", "enjoys {v}", "loves {v}"],
    ("person", "email"): ["can be reached at {v}", "has the address {v}", "reads mail at {v}"],
    ("person", "married"): {True: ["is married", "has been married for years"], False: ["is single", "is not married"]},
    ("order", "customer"): ["{v}", "Our customer {v}", "A buyer named {v}"],
    ("order", "product"): ["ordered the {v}", "bought the {v}", "wants the {v}"],
    ("order", "quantity"): ["{v} pieces", "in a quantity of {v}", "{v} of them"],
    ("order", "price"): ["for {v} euros", "at {v} euros", "costing {v} euros"],
    ("order", "order_id"): ["order number {v}", "with the order number {v}", "as order {v}"],
    ("order", "paid"): {True: ["already paid", "paid in full"], False: ["not yet paid", "payment is still open"]},
    ("event", "title"): ["The {v}", "Our {v}", "A {v}"],
    ("event", "city"): ["takes place in {v}", "is held in {v}", "will be in {v}"],
    ("event", "day"): ["on {v}", "this {v}", "next {v}"],
    ("event", "time"): ["at {v}", "from {v}", "beginning at {v}"],
    ("event", "guests"): ["with {v} guests", "for {v} people", "and {v} guests are expected"],
    ("event", "host"): ["hosted by {v}", "and the host is {v}", "organised by {v}"],
    ("event", "outdoors"): {True: ["outdoors", "in the open air"], False: ["indoors", "inside a hall"]},
}
FIRST = {"person": "name", "order": "customer", "event": "title"}
DESCRIBE = {"name": "The person's name", "age": "Age in years", "city": "City", "job": "Profession", "hobby": "Hobby", "email": "Email address", "married": "Whether married", "product": "What was ordered", "quantity": "How many", "price": "Price in euros",
            "customer": "Who ordered", "order_id": "Order number", "paid": "Whether paid", "title": "Title of the event", "day": "Day of the week", "time": "Start", "guests": "Number of guests", "host": "Who hosts", "outdoors": "Whether outdoors"}
EXTRACT_ASKS = ["{t}", "Extract the data: {t}", "{t}\nFill the record.", "Read this and give me the fields. {t}", "Text: {t}", "Get the data out of this text: {t}", "{t}\nWhat are the fields?", "Please extract: {t}", "Here is a text. {t} Give me its data.", "Turn this into a record: {t}",
                "Find the values in this text: \"{t}\"", "Parse: {t}"]


def extraction(rng, split):
    kind = rng.choice(list(RECORDS))
    fields = RECORDS[kind]
    first = FIRST[kind]
    told = [f for f in fields if f[0] == first] + rng.sample([f for f in fields if f[0] != first], rng.randrange(1, len(fields)))
    values = {name: draw(rng, split) for name, _, draw in told}
    parts = []
    for name, _, _ in told[1:]:
        forms = SAID[kind, name]
        forms = forms[values[name]] if isinstance(forms, dict) else forms
        parts.append(rng.choice(forms).format(v=values[name]))
    subject = rng.choice(SAID[kind, first]).format(v=values[first])
    if kind == "person" and len(parts) > 1 and rng.random() < 0.6:
        text = f"{subject} {', '.join(parts[:-1])} and {parts[-1]}."
    elif kind == "person" and rng.random() < 0.5:
        text = f"{subject} {parts[0]}." + "".join(f" {rng.choice(('He', 'She', 'This person'))} {p}." for p in parts[1:])
    else:
        text = f"{subject} {', '.join(parts)}."
    wanted = [f for f in told if rng.random() < 0.85] or told[:1]
    rng.shuffle(wanted)
    described = rng.random() < 0.3
    schema = {"type": "object", "properties": {name: {"type": kind_, **({"description": DESCRIBE[name]} if described else {})} for name, kind_, _ in wanted}, "required": [name for name, _, _ in wanted]}
    if rng.random() < 0.5:
        schema["additionalProperties"] = False
    answer = {name: values[name] for name, _, _ in wanted}
    return conversation("extract", system(rng, split, 0.2) + [user(pick(rng, EXTRACT_ASKS, split).format(t=text)), assistant(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))], schema=schema, json=answer)


# ---- small exercises

COPY_SAID = ["Repeat: {x}", "Say \"{x}\".", "Copy this: {x}", "Repeat after me: {x}", "Write exactly: {x}", "Please repeat \"{x}\".", "Say {x}", "Copy exactly: {x}", "Echo: {x}", "Write this down: {x}", "Give me back: {x}", "Type {x}", "Return this text: {x}", "Just say: {x}"]
UPPER_SAID = ["Write {x} in capital letters.", "Make {x} upper case.", "Upper case: {x}", "Put {x} in capitals.", "Capitalise all letters of {x}.", "Convert \"{x}\" to upper case.", "Turn {x} into capital letters.", "{x} in upper case, please.", "Upper-case this: {x}", "Say {x} in capital letters.", "What is {x} in capital letters?"]
LOWER_SAID = ["Write {x} in small letters.", "Make {x} lower case.", "Lower case: {x}", "Convert \"{x}\" to lower case.", "{x} in lower case, please.", "Turn {x} into small letters.", "Lower-case this: {x}"]
COUNT_SAID = ["Count to {b}.", "Count from {a} to {b}.", "Please count from {a} to {b}.", "Can you count to {b}?", "Count up to {b}.", "Give me the numbers from {a} to {b}.", "List the numbers {a} to {b}.", "Start at {a} and count to {b}.", "Say the numbers up to {b}.", "Write the numbers from {a} to {b}.", "Go from {a} up to {b}."]
DOWN_SAID = ["Count down from {b}.", "Count backwards from {b} to 1.", "Count down from {b} to 1.", "Start at {b} and count down.", "A countdown from {b}, please.", "From {b} down to 1, count."]
SORT_SAID = ["Sort {x}.", "Sort these: {x}", "Put in order: {x}", "Sort this list: {x}", "Please sort {x}.", "Order these from {f}: {x}", "Arrange {x} in order.", "Sort the list {x}.", "Bring these into order: {x}", "Can you sort {x}?", "{x} - sort them.", "Sort from {f}: {x}"]


def phrase(rng, split):
    way = rng.random()
    if way < 0.3:
        return made_up(rng)
    if way < 0.5:
        return " ".join(any_word(rng, split) for _ in range(rng.choice((1, 2, 3, 4))))
    if way < 0.6:
        return person(rng, split)
    if way < 0.7:
        return code(rng)
    if way < 0.85:
        return " ".join(made_up(rng) for _ in range(rng.choice((2, 3, 4))))
    return pick(rng, CHORES, split)


def exercise(rng, split):
    way = rng.random()
    if way < 0.3:
        text = phrase(rng, split)
        said, answer = pick(rng, COPY_SAID, split).format(x=text), text
    elif way < 0.5:
        text = phrase(rng, split)
        said, answer = pick(rng, UPPER_SAID, split).format(x=text), text.upper()
    elif way < 0.55:
        text = phrase(rng, split).upper()
        said, answer = pick(rng, LOWER_SAID, split).format(x=text), text.lower()
    elif way < 0.7:
        low = rng.choice((1, 1, 1, rng.randrange(2, 15)))
        high = rng.randrange(low + 2, 21)
        frame = pick(rng, COUNT_SAID, split)
        low = low if "{a}" in frame else 1
        said, answer = frame.format(a=low, b=high), ", ".join(str(n) for n in range(low, high + 1)) + "."
    elif way < 0.75:
        high = rng.randrange(3, 21)
        said, answer = pick(rng, DOWN_SAID, split).format(b=high), ", ".join(str(n) for n in range(high, 0, -1)) + "."
    else:
        frame = pick(rng, SORT_SAID, split)
        if rng.random() < 0.55:
            items = rng.sample(range(1, rng.choice((10, 20, 100))), rng.randrange(3, 7))
            down = rng.random() < 0.2 and "{f}" in frame
            ordered = sorted(items, reverse=down)
            order = "large to small" if down else "small to large"
        else:
            items = some(rng, rng.choice((ANIMALS, FRUITS, COLORS, FIRST_NAMES)), split if split == "train" or rng.random() < 0.4 else "train", rng.randrange(3, 6))
            ordered, order = sorted(items), "A to Z"
        said, answer = frame.format(x=", ".join(map(str, items)), f=order), ", ".join(map(str, ordered)) + "."
    return conversation("exercise", system(rng, split, 0.1) + [user(said), assistant(answer)], equals=answer)


def self_and_project(rng, split):
    question, answer, words = facts.project(rng, split)
    return conversation("about itself", system(rng, split, 0.2) + [user(question), assistant(answer)], contains=words)


def does_not_know(rng, split):
    question, answer = facts.unknown(rng, split)
    return conversation("does not know", system(rng, split, 0.2) + [user(question), assistant(answer)], contains=["do not know"])


def talk(rng, split):
    """Facts, greetings and mixtures of everything in one conversation: for fluency, not a row of the evaluation."""
    turns = system(rng, split, 0.25)
    for _ in range(rng.randrange(1, 5)):
        turns += filler(rng, split)
    return conversation("talk", turns)


def agent(rng, split):
    """Several tools used one after another in one conversation."""
    turns, tools = system(rng, split), []
    for _ in range(rng.choice((2, 2, 3))):
        if rng.random() < 0.25:
            turns += filler(rng, split)
            continue
        tool, said, arguments, kind = known_call(rng, split)
        if any(t["name"] == tool["name"] for t in tools):
            continue
        tools.append(tool)
        data, answer, _ = outcome(rng, split, tool, kind, arguments)
        turns += [user(said), call(tool, arguments), result(tool, data), assistant(answer)]
    if not tools:
        return agent(rng, split)
    return conversation("talk", turns, shuffled(rng, tools))


def parallel(rng, split):
    """One request that needs the same tool for two places."""
    kind = rng.choice(("weather", "time"))
    tool, roles = toolbox.known(rng, kind)
    roles.pop("unit", None)
    tool["parameters"] = {roles["city"]: tool["parameters"][roles["city"]]}
    one, two = some(rng, CITIES, split, 2)
    said = pick(rng, WEATHER_SAID if kind == "weather" else TIME_SAID, split).format(c=f"{one} and {two}")
    calls = call(tool, {roles["city"]: one})
    calls["tool_calls"] += call(tool, {roles["city"]: two})["tool_calls"]
    first, second = outcome(rng, split, tool, kind, {roles["city"]: one}), outcome(rng, split, tool, kind, {roles["city"]: two})
    return conversation("talk", system(rng, split) + [user(said), calls, result(tool, first[0]), result(tool, second[0]), assistant(first[1] + " " + second[1])], [tool])


# Task and its share of the training.
MIXTURE = [(tool_call, 18), (unseen_call, 22), (tool_result, 13), (no_tool, 9), (memory, 9), (switch, 7), (extraction, 9), (exercise, 9), (self_and_project, 7), (does_not_know, 3), (talk, 4), (agent, 4), (parallel, 1)]
EVALUATED = [tool_call, unseen_call, tool_result, no_tool, memory, switch, extraction, exercise, self_and_project, does_not_know]


def draw(rng):
    return rng.choices([t for t, _ in MIXTURE], [w for _, w in MIXTURE])[0](rng, "train")
