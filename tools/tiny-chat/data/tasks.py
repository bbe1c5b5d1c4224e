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
from tools import title
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
    return {"role": "tool", "name": tool["name"], "content": value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))}


def conversation(kind, messages, tools=(), schema=None, **expect):
    return {"kind": kind, "messages": messages, "tools": [toolbox.schema(t) for t in tools], "schema": schema, "expect": expect}


SYSTEMS = ["You are a helpful assistant.", "You are a helpful assistant. Use the tools where they help.", "You are a friendly assistant.", "Help the user.", "You are an assistant with tools.",
           "Answer the user's questions.", "You work for {p}.", "You are the assistant of {p} in {c}.", "Be helpful and short.", "You are a careful assistant.", "Answer in plain English.", "Today is {d}."]


def system(rng, split, share=0.35):
    if rng.random() >= share:
        return []
    return [{"role": "system", "content": rng.choice(SYSTEMS).format(p=person(rng, split), c=pick(rng, CITIES, split), d=rng.choice(DAYS))}]


# ---- requests for the known tools, as patterns

_GEAR = "[an umbrella|a coat|a jacket|a raincoat|sunscreen|a hat|gloves|a scarf|sunglasses|warm clothes|a sweater|boots|shorts|a warm jacket]"
_WARM = "[cold|warm|hot|chilly|freezing|mild|cool]"
_SKY = "[raining|sunny|snowing|windy|cloudy|foggy|dry|wet|stormy|rainy|humid|icy|nice out]"
_DAY = "[ today| now| right now| at the moment| currently| this morning| outside|||||]"
WEATHER_SAID = [f"[What is|What's|How is|How's|Tell me|Give me|Check|Show me|I need|I want to know] the weather [like |]in {{c}}{_DAY}[?|.]", "[What is|What's|How is|Tell me|Give me|Check|Show me|Look up|Get] the [weather|forecast|weather forecast|weather report] for {c}[?|.|]", "Weather [in|for|of] {c}[?|, please.|]", "weather {c}",
                f"Is it [{_SKY}|{_WARM}] in {{c}}{_DAY}?", f"Will it be [{_SKY}|{_WARM}] in {{c}}[ later| tomorrow| tonight|]?", f"Do [I|we|people] need {_GEAR} in {{c}}{_DAY}?", f"[Should|Shall|Must] [I|we] [take|pack|wear|bring|put on] {_GEAR} [in|for|to] {{c}}{_DAY}?", f"Will I need {_GEAR} [in|for] {{c}}?",
                f"How [warm|cold|hot|windy|wet] is it in {{c}}{_DAY}?", "[What is|What's|Tell me|Check] the [temperature|temperatures] in {c}[?|.]", "How many degrees [are there|does it have|is it|do they have] in {c}[ now|]?", "[I am going|I travel|I fly|We go|I am on my way] to {c}[ tomorrow|], [what is|how is] the weather[ there| like|]?",
                f"I [fly|go|travel|drive] to {{c}}[ tomorrow| today|]. Is it [{_WARM}|{_SKY}] there?", "What are the [weather |]conditions in {c}?", f"Is the sun [shining|out] in {{c}}{_DAY}?", f"Is there [snow|rain|sun|fog|wind|a storm|ice] in {{c}}{_DAY}?", f"[How does|What does] the [sky|weather|forecast] [look|look like|say] in {{c}}{_DAY}?",
                "[What is|How is] it like outside in {c}?", "check the [weather|forecast|temperature] [in|for|of] {c}", "look [up|at] the [weather|forecast] [in|for|of] {c}", "tell me [whether|if] it [rains|snows|is cold|is warm|will rain] in {c}", "find out how [warm|cold|hot] it is in {c}", "[Does it|Will it] [rain|snow] in {c}[ today| tomorrow|]?",
                "[Any|Is there any] [rain|snow|sun] in {c}[ today|]?", "Can I [go swimming|have a picnic|go out without a coat|ski|sit outside] in {c}[ today|]?", "What should I wear in {c}[ today|]?", "[People|Friends|My parents] in {c} ask about the weather.", "Which weather [do they have|is there] in {c}?", "{c}, how [warm|cold|hot|nice] is it?", "{c}: [rain or sun|sun or clouds|coat or no coat]?", "For {c} I need the [forecast|temperature|weather].", "The {c} [forecast|temperature|weather report][, please|]", "{c}'s [weather|temperature|forecast][, please|]", "In {c}, [is it|will it be] [warm|cold|dry|sunny]?", "{c} [forecast|temperature|weather]", "{c}. What [is it like|does the sky say]?", "[Going|Off|Flying] to {c}. [Sun|Rain|Snow]?", "Is it a [nice|good|sunny] day in {c}?"]
TIME_SAID = [f"[What|Which] [time|hour] is it [now |right now |]in {{c}}{_DAY}?", "[What is|What's|Tell me|Give me|Show me|I need|Check] the [local |current |exact |]time in {c}[?|.]", "How late is it in {c}?", "Time in {c}[?|, please.|]", "Do you [know|have] [what time it is|the time] in {c}?", "[Current|Local|The] time in {c}[, please.|?|]",
             "Is it [already |still |]([evening|morning|night|noon|midnight|dark|late|early|daytime|afternoon]) in {c}?".replace("(", "").replace(")", ""), "I want to [call|ring|phone] [a friend|somebody|my boss|my sister] in {c}, [what time is it|how late is it] there?", "What does the clock [say|show] in {c}?", "Can I still [ring|call|phone] somebody in {c}, or is it night there?",
             "local time {c}", "time {c}", "Which hour is it now in {c}?", "[Give me|Tell me] the [local |]time of {c}.", "What hour do they have in {c}?", "tell me [what time it is|how late it is|the hour] in {c}", "look at the clock in {c}", "check the [clock|time|hour] in {c}", "[Are people|Is everybody] [asleep|awake|up] in {c}[ now|]?",
             "Are the [shops|banks|offices|schools] in {c} [still |]open at this hour?", "[Is it|It must be] [time for bed|lunch time|bedtime|breakfast time] in {c}[ now|]?", "[My|Our] [team|office|flight|hotel] is in {c}, what time is it there?", "set my watch to {c}, what time is it there", "In {c}, what time is it[ now|]?", "{c}: [day or night|what hour|early or late]?", "{c} time[, please|]", "{c}'s [time|clock][, please|]", "{c}, how late is it?", "For {c} I need the [time|hour].", "The clock in {c}?", "What's the hour in {c}?"]
SEARCH_SAID = ["search [for|] {t}", "search the [web|internet|net] for {t}", "look up {t}[ on the internet| online| on the web|]", "find [information|something|pages|articles|facts|web pages|results] [about|on] {t}[ online| on the web|]", "google {t}", "do a [web |]search [for|on] {t}", "see what the [internet|web] says about {t}", "look on the [web|internet|net] for {t}",
               "I want to [read|learn|know more] about {t}, search [for it|the web].", "I need [web pages|information|articles] [on|about] {t}.", "search {t}", "[What does the internet say|What can you find|What is there on the web] about {t}?", "browse the web for {t}", "look for {t} [online|on the internet|on the web]", "find me {t} [online|on the internet|on the web]", "find out about {t}[ on the web| online|]",
               "Search: {t}", "run a search [for|on] {t}", "check the [web|internet] for {t}", "get me [search |]results for {t}", "[Is there|Are there] [anything|pages|something] about {t} on the [web|internet]?", "query the web for {t}"]
REMIND_SAID = ["remind me to {x} [at |]{h}", "remind me [at |]{h} to {x}", "[set|create|make|add] a reminder to {x} [at |for |]{h}", "[set|create|make|add] a reminder [for |at ]{h}: {x}", "I [must|have to|need to|should|want to] {x} [at |]{h}, [remind me|please remind me|do not let me forget].", "[At |]{h} I [have to|must|need to] {x}. [Remind me|Please remind me|Set a reminder][, please|].",
               "[do not|don't] let me forget to {x} [at |]{h}", "[New reminder|Reminder|Remind me]: {x}, {h}[.|]", "make sure [that |]I {x} [at |]{h}", "I need a reminder [at |for ]{h} to {x}.", "[put|note|save] a reminder [at |for ]{h}: {x}", "reminder {h} {x}", "[At |]{h}, tell me to {x}.", "tell me [at |]{h} to {x}", "[At |]{h} I want to be reminded to {x}.",
               "I will forget to {x} [at |]{h}, so remind me.", "help me remember to {x} [at |]{h}", "[Could|Can|Would] you remind me to {x} [at |]{h}?", "ping me [at |]{h} to {x}", "I always forget to {x}. Remind me [at |]{h}.", "[Wake|Nudge|Poke] me [at |]{h} [so that I|to] {x}."]
CALC_SAID = ["[What is|What's|How much is|Calculate|Compute|Tell me|Work out|Solve|Evaluate|Figure out|Find|What does|How many is] {e}[?|.|]", "[Can|Could] you [calculate|compute|work out|solve] {e}?", "I need [the result of|to know] {e}.", "{e} = ?", "{e}", "{e}?", "What do I get for {e}?", "Result of {e}?", "How much does {e} make?", "do the math: {e}", "calculate {e}", "compute {e}", "work out {e}",
             "use the calculator for {e}", "[What is|Tell me] the [result|value|answer] of {e}[?|.]", "My homework asks for {e}.", "{e} [gives|is|equals] [what|how much]?", "[And|So] {e}?", "What do {e} add up to?", "Tell me what {e} [is|gives|comes to].", "What would {e} be?", "add it up: {e}", "give me [the result of|the value of|] {e}"]
OPERATORS = [("+", ["plus", "and", "added to", "+", "plus", "+"]), ("-", ["minus", "less", "-", "minus", "-"]), ("*", ["times", "multiplied by", "*", "x", "times"]), ("/", ["divided by", "over", "/", "divided by"])]


def a_time(rng):
    """As people say it; with `at` before it where it is an hour."""
    hour = rng.choice((f"{rng.randrange(1, 13)} {rng.choice(('am', 'pm'))}", f"{rng.randrange(24)}:{rng.choice(('00', '15', '30', '45', '10', '20'))}", f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", rng.choice(("noon", "midnight")), f"{rng.randrange(1, 13)} o'clock", f"{rng.randrange(1, 13)}:{rng.choice(('15', '30', '45'))} {rng.choice(('am', 'pm'))}"))
    way = rng.random()
    if way < 0.68:
        return hour
    if way < 0.8:
        return f"{rng.choice(('tomorrow', 'today'))} at {hour}"
    if way < 0.87:
        return f"on {rng.choice(DAYS)}"
    if way < 0.93:
        return f"in {rng.choice((5, 10, 15, 20, 30, 45, 90))} minutes"
    return rng.choice(("tonight", "tomorrow", "tomorrow morning", "next week", f"on {rng.choice(DAYS)} at {hour}", "in an hour", "this evening"))


def expression(rng):
    """An expression and how it is said."""
    way = rng.random()
    big = lambda: decimal_or_not(rng)
    a, b = big(), big()
    if way < 0.14:
        return rng.choice([(f"{a} + {b}", f"the sum of {a} and {b}"), (f"{a} - {b}", f"the difference between {a} and {b}"), (f"{a} * {b}", f"the product of {a} and {b}"), (f"{a} / {b}", f"the quotient of {a} and {b}")])
    if way < 0.2:
        return f"({a} + {b}) * {(c := big())}", f"({a} + {b}) * {c}"
    numbers = [big() for _ in range(rng.choice((2, 2, 2, 3)))]
    written, said = str(numbers[0]), str(numbers[0])
    for n in numbers[1:]:
        sign, words = rng.choice(OPERATORS)
        written += f" {sign} {n}"
        word = rng.choice(words)
        said += f" {word} {n}" if word.isalpha() or " " in word or rng.random() < 0.7 else f"{word}{n}"
    return written, said


def decimal_or_not(rng):
    return rng.randrange(2, rng.choice((10, 20, 100, 100, 1000, 10_000, 100_000))) if rng.random() < 0.92 else round(rng.uniform(1, 100), 1)


SUMS = [("Subtract {a} from {b}.", "{b} - {a}"), ("Remove {a} from {b}.", "{b} - {a}"), ("Deduct {a} from {b}.", "{b} - {a}"), ("From {b} subtract {a}.", "{b} - {a}"), ("From {a} remove {b}.", "{a} - {b}"), ("Reduce {a} by {b}.", "{a} - {b}"), ("Increase {a} by {b}.", "{a} + {b}"), ("What is left of {a} without {b}?", "{a} - {b}"), ("Add {a} to {b}.", "{b} + {a}"), ("Add {a} and {b}.", "{a} + {b}"), ("Multiply {a} by {b}.", "{a} * {b}"), ("Multiply {a} with {b}.", "{a} * {b}"), ("Divide {a} by {b}.", "{a} / {b}"), ("Take {a} from {b}.", "{b} - {a}"), ("Divide {a} into {b} parts.", "{a} / {b}"),
        ("How much is {a} less {b}?", "{a} - {b}"), ("I buy {a} apples at {b} cents each, what do I pay?", "{a} * {b}"), ("{a} people share {b} euros, how much does each get?", "{b} / {a}"), ("What is half of {a}?", "{a} / 2"), ("Double {a}.", "{a} * 2"), ("What is twice {a}?", "{a} * 2"), ("What is {a} squared?", "{a} * {a}"),
        ("I have {a} euros and spend {b}. What is left?", "{a} - {b}"), ("I have {a} stamps and get {b} more. How many are these?", "{a} + {b}"), ("{a} boxes with {b} eggs each, how many eggs?", "{a} * {b}"), ("Split {a} by {b}.", "{a} / {b}"), ("Sum up {a} and {b}.", "{a} + {b}")]


def known_request(rng, split, kind):
    """Request and values by role."""
    if kind in ("weather", "time"):
        where = city(rng, split)
        return tidy(request(rng, pick(rng, WEATHER_SAID if kind == "weather" else TIME_SAID, split)).replace("{c}", where)), {"city": where}
    if kind == "search":
        about = topic(rng, split)
        return tidy(request(rng, pick(rng, SEARCH_SAID, split)).replace("{t}", about)), {"query": about}
    if kind == "reminder":
        what, time = chore(rng, split), a_time(rng)
        said = request(rng, pick(rng, REMIND_SAID, split))
        if not time[0].isdigit() and time not in ("noon", "midnight"):
            for word in ("at {h}", "for {h}", "At {h}"):
                said = said.replace(word, "{h}")
        elif "at {h}" not in said and "At {h}" not in said and "for {h}" not in said and rng.random() < 0.6:
            said = said.replace("{h}", "at {h}")
        if said.startswith("{h}"):
            said = said.replace("{h}", time[0].upper() + time[1:], 1)
        return tidy(said.replace("{x}", what).replace("{h}", time)), {"text": what, "time": time.removeprefix("on ")}
    if rng.random() < 0.22:
        a, b = decimal_or_not(rng), decimal_or_not(rng)
        said, written = rng.choice(SUMS)
        said, written = said.format(a=a, b=b), written.format(a=a, b=b)
        return said if rng.random() < 0.5 else rng.choice(("Please: ", "Hey, ", "Now ", "Then ")) + said[0].lower() + said[1:], {"expression": written}
    written, said = expression(rng)
    return tidy(request(rng, pick(rng, CALC_SAID, split)).replace("{e}", said)), {"expression": written}


def known_call(rng, split, kind=None, canonical=None):
    kind = kind or rng.choice(("weather", "weather", "time", "calculate", "calculate", "search", "reminder", "reminder"))
    tool, roles = toolbox.known(rng, kind, canonical)
    said, values = known_request(rng, split, kind)
    arguments = {roles[role]: value for role, value in values.items()}
    if "unit" in roles:
        unit = rng.choice(("celsius", "fahrenheit"))
        if rng.random() < 0.5:
            said = said.rstrip("?. ") + rng.choice((f" in {unit}?", f", in {unit} please.", f" ({unit})", f" in {unit.capitalize()}?", f", {unit}."))
            if rng.random() < 0.3:
                said = say(rng, f"[What is the temperature in {unit} in|The {unit} value for|In {unit}, how warm is it in|Give me the {unit} temperature for|I want the {unit} reading of] ") + values["city"] + rng.choice(("?", "", "."))
            arguments[roles["unit"]] = unit
        elif tool["parameters"][roles["unit"]][2]:
            arguments[roles["unit"]] = "celsius"
    return tool, said, arguments, kind


ASIDES = ["I had a long day.", "My dog is sick.", "We have guests tonight.", "I am in a hurry.", "My phone is broken.", "It is my birthday.", "I am on the way home.", "The children are asleep.", "I cannot find my glasses.", "My boss wants to know.", "I am new here.", "We are late.", "I just woke up.", "This is important.", "I am working from home.",
          "My sister asked me.", "I have no time.", "Let me think.", "There is one more thing.", "I hope you can help.", "I am sitting in the train.", "Nobody told me.", "I am planning my week.", "It was a nice evening.", "My hands are full.", "I forgot it again."]


def chatty(rng, split, said):
    """A request with a sentence before or behind it that has nothing to do with it."""
    if rng.random() > 0.12:
        return said
    aside = rng.choice(ASIDES) if rng.random() < 0.7 else f"{rng.choice(('My', 'The', 'Our', 'This'))} {thing(rng, split)} is {rng.choice(('old', 'new', 'nice', 'broken', pick(rng, COLORS, split)))}."
    if rng.random() < 0.75:
        return f"{aside} {said[0].upper() + said[1:]}"
    return (said if said[-1] in ".?!" else said + ".") + " " + aside


def shuffled(rng, tools):
    tools = list(tools)
    rng.shuffle(tools)
    return tools


def beside(rng, split, tool, fresh=False):
    return shuffled(rng, [tool] + toolbox.distractors(rng, split, [tool], rng.choice((0, 0, 1, 2, 2, 3, 4, 5)), fresh))


def opening(rng, split):
    """What was said before the request, if anything."""
    turns = system(rng, split)
    while rng.random() < 0.17:
        more = filler(rng, split)
        if not any(c.isdigit() for c in more[0]["content"]):    # what is counted here may be a calculator's work
            turns += more
    return turns


def tool_call(rng, split):
    tool, said, arguments, _ = known_call(rng, split)
    return conversation("tool call", opening(rng, split) + [user(chatty(rng, split, said)), call(tool, arguments)], beside(rng, split, tool), call={"name": tool["name"], "arguments": arguments})


def any_unseen(rng, split):
    return toolbox.blueprint(rng, split) if rng.random() < 0.6 else toolbox.invented(rng, split)


def unseen_call(rng, split):
    tool, said, arguments = any_unseen(rng, split)
    tools = beside(rng, split, tool, rng.random() < 0.5)
    if rng.random() < 0.2:
        # A sibling that differs in one word: what decides is in the request.
        do, what = rng.choice(toolbox.VERBS), rng.choice((made_up(rng), thing(rng, split)))
        tool, said, arguments = toolbox.invented(rng, split, do, what)
        other = rng.choice([v for v in toolbox.VERBS if v != do])
        sibling = toolbox.invented(rng, split, other, what)[0] if rng.random() < 0.6 else toolbox.invented(rng, split, do, rng.choice((made_up(rng), thing(rng, split))))[0]
        if sibling["name"] == tool["name"] or tool["name"].lower() == what.lower():
            return unseen_call(rng, split)
        tools = shuffled(rng, [tool, sibling] + toolbox.distractors(rng, split, [tool, sibling], rng.choice((0, 1, 2))))
    return conversation("unseen tool", opening(rng, split) + [user(chatty(rng, split, said)), call(tool, arguments)], tools, call={"name": tool["name"], "arguments": arguments})


WEATHER_NOUNS = ["fog", "rain", "snow", "hail", "thunder", "sunshine", "wind", "frost", "mist", "a storm", "drizzle", "sleet", "ice", "a heatwave", "thunderstorms", "showers", "light rain", "heavy snow", "clear sky", "haze", "strong wind", "heavy rain", "a thunderstorm", "thunderstorm", "storm", "lightning", "dust", "smoke"]
CONDITIONS = WEATHER_NOUNS + ["sunny", "cloudy", "rainy", "windy", "snowy", "foggy", "stormy", "clear", "overcast", "misty", "dry", "hot", "cold", "mild", "partly cloudy", "humid", "icy", "warm", "freezing", "bright", "sunny", "cloudy", "rainy", "windy", "snowy", "foggy"]


def arguments_by_order(tool, arguments):
    return [arguments[name] for name in tool["parameters"] if name in arguments]


def outcome(rng, split, tool, kind, arguments):
    """A tool's result in some shape, the answer that uses it, and the words that the answer must hold."""
    values = list(arguments.values())
    if kind == "weather":
        degrees, condition, where = rng.randrange(-25, 45), pick(rng, CONDITIONS, split), values[0]
        it_is = f"There is {condition}" if condition in WEATHER_NOUNS else f"It is {condition}"
        unit = rng.choice((" °C", "°C", " degrees", " C", "°", " °F", "°F", " degrees Celsius"))
        shape = rng.randrange(12)
        if shape < 5:
            t, c = rng.choice(("temperature", "temp", "temp_c", "degrees", "temperature_c", "t", "celsius")), rng.choice(("conditions", "condition", "weather", "description", "sky", "summary", "state"))
            data = rng.choice(({t: degrees, c: condition}, {c: condition, t: degrees}, {"city": where, t: degrees, c: condition}, {t: degrees, "unit": "celsius", c: condition}, {t: f"{degrees}{unit}", c: condition}))
            shown = f"{degrees}{unit}" if isinstance(data[t], str) else f"{degrees} degrees"
            return data, f"{it_is} in {where}, with {shown}.", [str(degrees), condition]
        if shape < 10:
            data = rng.choice((f"{degrees}{unit}, {condition}", f"{condition}, {degrees}{unit}", f"{where}: {condition}, {degrees}{unit}", f"{where}: {degrees}{unit}, {condition}", f"{condition} and {degrees}{unit}", f"{degrees}{unit} and {condition}", f"{where}: {degrees}{unit} and {condition}", f"{condition.capitalize()}, {degrees}{unit}"))
            return data, f"{it_is} in {where}, with {degrees}{unit.rstrip()}.", [str(degrees), condition]
        if shape == 10:
            data = rng.choice((f"{degrees}{unit}", {"temperature": degrees}, degrees, {"temp": f"{degrees}{unit}"}))
            return data, f"It has {degrees}{unit if unit in str(data) else ' degrees'} in {where}.", [str(degrees)]
        return rng.choice((condition, {"weather": condition}, {"condition": condition})), f"{it_is} in {where}.", [condition]
    if kind == "time":
        where = values[0]
        value = rng.choice((f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", f"{rng.randrange(1, 13)}:{rng.randrange(60):02d} {rng.choice(('AM', 'PM', 'am', 'pm'))}", f"20{rng.randrange(20, 40)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d} {rng.randrange(24):02d}:{rng.randrange(60):02d}",
                            f"20{rng.randrange(20, 40)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}T{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}Z", f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"))
        data = (value, {"time": value}, {"city": where, "local_time": value}, f"It is {value} in {where}", {"localTime": value}, f"{where}: {value}", {"result": value})[rng.randrange(7)]
        return data, f"It is {value} in {where}.", [value]
    if kind == "calculate":
        number = rng.choice((str(rng.randrange(-500, 100_000)), str(rng.randrange(1, 1000)), f"{rng.randrange(1, 9999)}.{rng.randrange(1, 10)}", str(rng.randrange(10_000, 10_000_000))))
        data = (number, {"result": float(number) if "." in number else int(number)}, {"value": number}, f"{values[0]} = {number}", float(number) if "." in number else int(number), {"answer": number}, {"expression": values[0], "result": number})[rng.randrange(7)]
        return data, f"The result is {number}.", [number]
    if kind == "search":
        heading, site = title(rng, split), f"{made_up(rng)}.{rng.choice(('org', 'com', 'net'))}"
        way = rng.randrange(7)
        if way < 4:
            data = ({"title": heading, "url": site}, [{"title": heading, "url": site}], f"{heading} - {site}", {"results": [{"title": heading, "link": site}]})[way]
            return data, f"I found this: {heading}, at {site}.", [heading, site]
        sentence = statement(rng, split)
        return rng.choice((sentence, {"result": sentence}, {"snippet": sentence}, [sentence])), f"I found this: {sentence}", [sentence]
    if kind == "reminder":
        by_role = {("time" if role in toolbox.REMIND["time"] else "text"): value for role, value in arguments.items()} if len({(r in toolbox.REMIND["time"]) for r in arguments}) == 2 else None
        text, time = (by_role["text"], by_role["time"]) if by_role else arguments_by_order(tool, arguments)[:2]
        data = ("ok", {"status": "ok"}, {"created": True}, "Reminder set.", {"success": True, "id": rng.randrange(1, 999)}, "true", "done", True, "saved", {"ok": True}, "Reminder created", "set")[rng.randrange(12)]
        at = "at " if time[0].isdigit() or time in ("noon", "midnight") else "on " if time.split()[0] in DAYS else ""
        return data, f"Done. I will remind you to {text} {at}{time}.", [text, time]
    return None


STATEMENTS = ["The {o} of {p} is in {c}.", "{p} was born in {c} in {y}.", "The {o} costs {n} euros.", "{c} has {n} {a}s.", "The {a} {v} was found in {c}.", "{p} wrote it in {y}.", "It opens at {h} and closes at {g}.", "The order {k} was sent on {d}.", "Your {o} arrives on {d}.", "The next train leaves at {h} from platform {m}.", "There are {n} {o}s left.",
              "{p} won the {a} race in {c}.", "The {o} is {l} and weighs {n} grams.", "{c} lies {n} kilometres from {e}.", "The meeting with {p} was moved to {d} at {h}.", "Room {m} is free until {h}.", "The code is {k}.", "{p} has {m} {a}s and {n} {o}s.", "The {l} {o} was sold to {p}.", "The battery is at {m} percent.", "No {o} was found in {c}.", "The door is open.", "The {a} sleeps in the {r}."]


def statement(rng, split):
    return rng.choice(STATEMENTS).format(o=any_word(rng, split), p=person(rng, split), c=city(rng, split), e=city(rng, split), y=rng.randrange(1500, 2030), n=rng.randrange(2, 10_000), m=rng.randrange(1, 100), a=pick(rng, ANIMALS, split), v=made_up(rng).capitalize(), h=f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", g=f"{rng.randrange(24):02d}:{rng.randrange(60):02d}",
                                         k=code(rng), d=rng.choice(DAYS), l=pick(rng, COLORS, split), r=rng.choice(toolbox.ROOMS))


VALUE_KEYS = """result|value|answer|number|price|status|name|code|amount|distance|title|owner|state|place|total|level|balance|population|speed|score|rate|date|day|phase|color|position|seat|gate|platform|temperature|humidity|height|width|weight|count|author|city|address|phone|email|station|song|artist|track|driver|departure|arrival|delay|percent|charge
|id|order_id|ticket|room|floor|size|version|stars|rating|calories|minutes|seconds|hours|start|end|winner|team|meaning|translation|text|message|location|country|currency|battery|pressure|wind|stock|bikes|free_seats|next_bus|lastName|fileName|exitCode|pageCount""".replace("\n", "").split("|")


def spelled(key):
    """A member's name in words: free_seats, freeSeats -> free seats."""
    return "".join(" " + c.lower() if c.isupper() else c for c in key).replace("_", " ").strip()


def some_value(rng, split):
    return rng.choice((lambda: rng.randrange(1, 10_000), lambda: rng.randrange(1, 100), lambda: round(rng.uniform(0, 500), rng.choice((1, 2))), lambda: code(rng), lambda: person(rng, split), lambda: city(rng, split), lambda: made_up(rng), lambda: any_word(rng, split), lambda: f"{rng.randrange(1, 900)} {rng.choice(('km', 'euros', 'kg', 'minutes', 'points', 'm', '%', 'dollars', 'litres'))}",
                       lambda: f"{rng.randrange(24):02d}:{rng.randrange(60):02d}", lambda: toolbox.date(rng), lambda: title(rng, split), lambda: f"{any_word(rng, split)} {any_word(rng, split)}", lambda: rng.choice(("open", "closed", "on", "off", "locked", "free", "busy", "full", "empty", "ready", "waiting")), lambda: pick(rng, COLORS, split)))()


def told_values(rng, split):
    """A result with members of any names: result, answer, what the answer must hold."""
    way = rng.random()
    if way < 0.5:
        key, value = pick(rng, VALUE_KEYS, split) if rng.random() < 0.75 else rng.choice((made_up(rng), any_word(rng, split))), some_value(rng, split)
        return {key: value}, f"The {spelled(key)} is {value}.", [str(value)]
    if way < 0.7:
        keys = some(rng, VALUE_KEYS, "train", rng.choice((2, 2, 3)))
        data = {key: some_value(rng, split) for key in keys}
        parts = [f"the {spelled(key)} is {value}" for key, value in data.items()]
        text = ", ".join(parts[:-1]) + " and " + parts[-1] + "."
        return data, text[0].upper() + text[1:], [str(v) for v in data.values()]
    if way < 0.85:
        value = some_value(rng, split)
        return (value if rng.random() < 0.3 else str(value)), f"The answer is {value}.", [str(value)]
    if way < 0.94:
        text = statement(rng, split)
        return (text if rng.random() < 0.7 else text[:-1]), text, [text[:-1]]
    values = [any_word(rng, split) if rng.random() < 0.6 else person(rng, split) for _ in range(rng.choice((2, 3, 4)))]
    data = values if rng.random() < 0.6 else {rng.choice(("items", "results", "names", "list", "entries")): values}
    return data, f"I found {toolbox.joined(values)}.", values


def any_outcome(rng, split):
    way = rng.random()
    if way < 0.16:
        return rng.choice(("ok", {"status": "ok"}, {"success": True}, "done", "true", {"done": True}, True, "OK", "success", "", {"ok": True}, {"result": "ok"}, "finished", {"success": True, "id": rng.randrange(1000)})), "Done.", ["Done"]
    if way < 0.26:
        trouble = rng.choice(("not found", "access denied", "the service is down", "timeout", f"no {made_up(rng)} here", f"unknown {any_word(rng, split)}", "already closed", "out of stock", "invalid number", "no connection", f"{made_up(rng)} is busy", "permission missing", "out of paper", "the battery is empty"))
        return rng.choice(({"error": trouble}, f"Error: {trouble}", {"status": "error", "message": trouble}, {"error": {"message": trouble}})), f"That did not work: {trouble}.", [trouble]
    return told_values(rng, split)


def tool_result(rng, split):
    """The whole loop: request, call, result, answer."""
    if rng.random() < 0.5:
        tool, said, arguments, kind = known_call(rng, split)
        data, answer, words = outcome(rng, split, tool, kind, arguments)
    else:
        tool, said, arguments = any_unseen(rng, split)
        data, answer, words = any_outcome(rng, split)
    return conversation("tool result", system(rng, split) + [user(said), call(tool, arguments), result(tool, data), assistant(answer)], beside(rng, split, tool), contains=words)


NO_TOOL = "I have no tool for that."
WHICH_CITY = "For which city?"


def no_tool(rng, split):
    """Tools are there, but none fits: talk answers itself, a deed without a tool is declined."""
    way = rng.random()
    if way < 0.2:
        said, _, answer = facts.fact(rng, split)
    elif way < 0.34:
        said, answer = rng.choice((statement(rng, split), rng.choice(ASIDES), sentence(rng, split).rstrip("?!.") + ".", f"I {rng.choice(('like', 'love', 'have', 'bought', 'saw', 'know', 'lost', 'found'))} {some_noun(rng, split)}.")), "I see."
    elif way < 0.6:
        said, answer = facts.small_talk(rng, split)
    elif way < 0.72:
        said, answer, _ = facts.project(rng, split)
    elif way < 0.8:
        exchange = exercise(rng, split)["messages"][-2:]
        said, answer = exchange[0]["content"], exchange[1]["content"]
    elif way < 0.87:
        # Unknown: searched for where there is a search, else not known.
        said, answer = facts.unknown(rng, split)
        tools = [t for t in toolbox.distractors(rng, split, [], rng.choice((1, 2, 3, 4))) if t["description"] not in toolbox.SEARCH["descriptions"]]
        return conversation("no tool", system(rng, split) + [user(said), assistant(answer)], tools, equals=answer, no_call=True)
    elif way < 0.9:
        kind = rng.choice(("weather", "time"))
        tool, _ = toolbox.known(rng, kind)
        said = say(rng, "[What is|How is|What's|Tell me] the weather[ like| now| today|][?|.]" if kind == "weather" else "[What time is it|What is the time|Tell me the time|How late is it][ now|][?|.]")
        return conversation("talk", system(rng, split) + [user(said), assistant(WHICH_CITY)], [tool])
    else:
        # A request for a tool that is not among those given.
        tool, said, _ = toolbox.blueprint(rng, split) if rng.random() < 0.5 else known_call(rng, split)[:3] if rng.random() < 0.35 else toolbox.invented(rng, split)
        tools = toolbox.distractors(rng, split, [tool], rng.choice((1, 2, 3, 4)))
        if rng.random() < 0.75 and any(not kinds_of(t) for t in tools):
            return no_tool(rng, split)    # with tools of an unknown kind there is mostly one that fits
        same = next((b for b in toolbox.BLUEPRINTS if tool["description"] in b[1]), None)
        if any(t["description"] in (same[1] if same else ()) for t in tools) or any(t["description"] in toolbox.SEARCH["descriptions"] + toolbox.REMIND["descriptions"] for t in tools):
            return no_tool(rng, split)    # a search may find what is asked, a reminder may be meant
        kinds = [k for k, table in toolbox.KNOWN.items() if tool["description"] in table["descriptions"]]
        if any(t["description"] in toolbox.KNOWN[k]["descriptions"] for t in tools for k in kinds):
            return no_tool(rng, split)
        return conversation("no tool", system(rng, split) + [user(said), assistant(NO_TOOL)], tools, contains=["no tool"], no_call=True)
    tools = toolbox.distractors(rng, split, [], rng.choice((1, 2, 3, 4, 5)))
    if any(t["description"] in toolbox.CALC["descriptions"] for t in tools) and any(c.isdigit() for c in said):
        return no_tool(rng, split)
    return conversation("no tool", system(rng, split) + [user(said), assistant(answer)], tools, equals=answer, no_call=True)


def searched(rng, split):
    """A question of unknown content and a search beside."""
    question, _ = facts.unknown(rng, split)
    tool, roles = toolbox.known(rng, "search")
    arguments = {roles["query"]: question.rstrip("?.")}
    return conversation("talk", system(rng, split) + [user(question), call(tool, arguments)], beside(rng, split, tool))


# ---- memory: (values, how it is told, how it is asked for, what is said at once, what is answered)

_KEEP = "[Remember|Please remember|Keep in mind|Note|Please note|Do not forget|Don't forget|Please keep in mind|Remember this|Store this|Just so you know]"
_ASK = "[Do you remember|Do you know|Can you tell me|Tell me|Remind me|Please tell me|Can you recall|Do you recall|Say]"
THINGS = ["locker number", "room number", "lucky number", "phone number", "door code", "ticket number", "seat number", "house number", "order number", "customer number", "bus line", "gate number", "pin", "booking code", "favorite number", "password", "shoe size", "flight number", "table number", "member number", "secret number",
          "favorite color", "favourite colour", "favorite animal", "favorite fruit", "favorite food", "home town", "dog's name", "cat's name", "boss's name", "sister's name", "brother's name", "wife's name", "son's name", "daughter's name", "friend's name", "teacher's name", "hobby", "job", "favorite city", "car's color", "street", "project", "team", "secret word", "code word", "user name", "birthday", "favorite book"]


def thing_value(rng, split, thing):
    if "color" in thing or "colour" in thing:
        return pick(rng, COLORS, split)
    if thing == "favorite animal":
        return pick(rng, ANIMALS, split)
    if thing == "favorite fruit":
        return pick(rng, FRUITS, split)
    if thing == "favorite food":
        return pick(rng, FOODS, split)
    if thing in ("home town", "favorite city"):
        return city(rng, split)
    if thing.endswith("name"):
        return first_name(rng, split)
    if thing == "hobby":
        return pick(rng, HOBBIES, split)
    if thing == "job":
        return pick(rng, JOBS, split)
    if thing == "birthday":
        return f"{rng.choice(MONTHS)} {rng.randrange(1, 29)}" if rng.random() < 0.6 else f"{rng.randrange(1, 29)} {rng.choice(MONTHS)}"
    if thing == "favorite book":
        return title(rng, split)
    if thing in ("street", "project", "team", "secret word", "code word", "password"):
        return made_up(rng).capitalize() if rng.random() < 0.4 else any_word(rng, split)
    if thing in ("booking code", "order number", "ticket number", "customer number", "door code", "flight number", "password") and rng.random() < 0.5:
        return code(rng)
    return str(rng.randrange(1, rng.choice((100, 1000, 10_000, 1_000_000))))


def _named(rng, split):
    return person(rng, split)


TOLD = [
    (3, lambda r, s: (None, _named(r, s)), ["My name is {v}[.|!|]", "[I am|I'm] {v}[.|!]", "Call me {v}.", "[Hi|Hello|Hey], [I am|I'm|my name is] {v}[.|!]", "You can call me {v}.", "This is {v} speaking.", "People call me {v}.", "My [friends|parents] call me {v}.", "I go by {v}.", "They named me {v}.", "The name is {v}.", f"{_KEEP}: [my name is|I am] {{v}}.", "Hello! {v} here.", "I was named {v}.", "{v} is [my name|how everybody knows me|the name my mother gave me|what it says on my passport|who I am].", "[With|Among] friends I [go as|am just] {v}.", "[To|For] [my family|everyone|all] I am {v}.", "{v} - that is me.", "{v} is speaking."],
     ["[What is|What's|What was] my name[ again|]?", f"{_ASK} my name[?|.]", "Who am I?", "What am I called?", "[Which|What] name did I [tell|give] you?", "How am I called?", "Do you [still |]know [who I am|what I am called]?", "How do people call me?", "[What|How] should you call me?", "I introduced myself. What is my name?", "Can you still say my name?", "What did I say my name was?", "And my name?"], "Nice to meet you, {v}.", "Your name is {v}."),
    (8, None, ["My {t} is {v}[.|!|]", f"{_KEEP}[:|] my {{t}} is {{v}}.", f"{_KEEP} my {{t}}: {{v}}.", "[For|As] my {t} I have {v}.", "{v} is my {t}.", "I want you to [know|remember] that my {t} is {v}.", "By the way, my {t} is {v}.", "My {t}? It is {v}."],
     ["[What is|What's|What was] my {t}[ again|]?", f"{_ASK} my {{t}}[?|.]", "[Which|What] {t} did I [give|tell|mention to] you?", "I forgot my {t}. [What is it?|Can you help?|Tell me.]", "What did I say my {t} was?", "My {t}, [please|what was it]?", "Can you repeat my {t}?", "[Which|What] {t} do I have?", "I need my {t}[ now|]. What is it?", "What did I tell you about my {t}?", "And my {t}?"], "I will remember that your {t} is {v}.", "Your {t} is {v}."),
    (4, lambda r, s: ("number", str(r.randrange(1, r.choice((100, 1000, 10_000, 1_000_000))))), [f"{_KEEP}[:|] [the|this] number[:|] {{v}}[.|]", f"{_KEEP} {{v}}.", "The number is {v}[.|, keep it in mind.| - remember it.]", "Here is a number for you: {v}. [Remember it.|Keep it.|]", "I give you the number {v}[ to remember|].", "{v} is the number[ to remember|].", "My number is {v}.", "[Hold|Save|Learn|Memorise|Store|Write down] the number {v}[ for me| for later|].", "Put {v} [aside|into your memory].", "[Never forget|I want you to remember|You must remember|You should keep] [the number |]{v}."],
     ["[What|Which] [is|was] the number[ again| that I gave you| from before|]?", "[What|Which] number [did I give you|did I tell you|should you remember|did I mention|was it|did I say|have you kept]?", f"{_ASK} the number[?|.]", "Repeat the number.", "I need the number [again|now].", "And the number?", "[Which|What] number [was I giving you|do you have in mind|did we agree on|did you have to keep|am I thinking of|were you told|did I want you to remember|did I ask you to remember]?", "[Which|What] number did I [write|name|note|speak of]?", "What number [do I mean|is in your head|have I told you]?", "[What is|What was|What's] my number?"], "I will remember the number {v}.", "The number is {v}."),
    (1, lambda r, s: ("word", any_word(r, s) if r.random() < 0.5 else made_up(r)), [f"{_KEEP}[:|] the [word|secret word|code word|magic word] [is |]{{v}}.", "The [word|secret word|code word|magic word|password] is {v}.", "Our [secret|word|password] is {v}."],
     ["[What|Which] [is|was] the [word|secret word|code word|magic word|password]?", "[Which|What] word did I [give|tell] you?", "Say the [word|secret word|magic word].", f"{_ASK} the [word|password|secret word][?|.]"], "I will remember the word {v}.", "The word is {v}."),
    (2, lambda r, s: ("city", city(r, s)), ["I live in {v}.", "[My home is|I am at home] in {v}.", "I have [lived|been living] in {v} for years.", "I moved to {v}[ last year|].", "I am from {v}.", "I come from {v}.", "My flat is in {v}."],
     ["Where do I live?", "[In which|Which|What] city do I live[ in|]?", "Where is my home?", f"{_ASK} where I live[?|.]", "Where am I from?", "Where do I come from?", "Which city am I from?"], "I will remember that you live in {v}.", "You live in {v}."),
    (1, lambda r, s: ("age", str(r.randrange(5, 99))), ["I am {v} years old.", "I turned {v} [yesterday|today|last week].", "I'm {v} years old[ now|].", "My age is {v}."], ["How old am I?", "What is my age?", f"{_ASK} [how old I am|my age][?|.]", "What age did I tell you?"], "I will remember that you are {v} years old.", "You are {v} years old."),
    (1, lambda r, s: ("work", pick(r, JOBS, s)), ["I work as a {v}.", "I am a {v} by profession.", "I earn my money as a {v}.", "I have been a {v} for years."], ["What do I do for a living?", "What is my [job|profession]?", "[As what|Where] do I work?", "What work do I do?", f"{_ASK} my [job|profession][?|.]"], "I will remember that you work as a {v}.", "You work as a {v}."),
    (1, lambda r, s: ("pet", f"{pick(r, ANIMALS, s)} called {first_name(r, s)}"), ["I have a {v}.", "At home I have a {v}.", "We have a {v}.", "My pet is a {v}."], ["What pet do I have?", "[Which|What] animal do I have?", "What is my pet called?", "What is the name of my pet?", f"{_ASK} what pet I have[?|.]"], "I will remember that you have a {v}.", "You have a {v}."),
    (1, lambda r, s: ("like", r.choice((pick(r, HOBBIES, s), pick(r, FOODS, s), pick(r, FRUITS, s)))), ["I like {v}.", "I love {v}.", "I really enjoy {v}.", "What I like most is {v}."], ["What do I like?", "What do I [love|enjoy]?", f"{_ASK} what I like[?|.]", "What did I say I like?", "What is it that I like?"], "I will remember that you like {v}.", "You like {v}."),
    (1, lambda r, s: ("meeting", f"{r.choice(DAYS)} at {r.randrange(24):02d}:{r.choice(('00', '15', '30', '45'))}"), ["My [meeting|appointment] is on {v}.", "I have a meeting on {v}.", "The meeting is on {v}."], ["When is [my|the] [meeting|appointment]?", f"{_ASK} when [my|the] meeting is[?|.]", "What time is my meeting?"], "I will remember that your meeting is on {v}.", "Your meeting is on {v}."),
]
RELATIONS = "teacher|boss|brother|sister|neighbour|doctor|uncle|aunt|friend|best friend|coach|dentist|cousin|colleague|mother|father|son|daughter|wife|husband|partner|trainer|lawyer|grandmother|grandfather|roommate|landlord|manager|baker|hairdresser".split("|")
SPOTS = [("live in", "room"), ("stay in", "room"), ("sit in", "row"), ("sit in", "seat"), ("wait at", "gate"), ("work on", "floor"), ("park on", "level"), ("leave from", "platform"), ("take", "bus"), ("sleep in", "cabin"), ("sit at", "table"), ("live in", "apartment"), ("work in", "office"), ("stand in", "line"), ("run with", "number"), ("play with", "number"), ("live on", "floor"), ("use", "locker"), ("stay in", "tent"), ("go to", "class")]


def _spot(rng, split):
    does, what = rng.choice(SPOTS)
    return (does, what), str(rng.randrange(1, rng.choice((30, 100, 1000))))


TOLD += [
    (3, lambda r, s: (r.choice(RELATIONS), person(r, s)), ["My {t} is {v}[.|!]", "My {t} is called {v}.", "My {t}'s name is {v}.", "The name of my {t} is {v}.", "{v} is my {t}.", f"{_KEEP}[:|] my {{t}} is {{v}}.", "I have a {t} called {v}.", "I call my {t} {v}.", "[Meet|This is] {v}, my {t}."],
     ["Who is my {t}?", "What is my {t} called?", "What is the name of my {t}?", "What is my {t}'s name?", "[Which|What] name has my {t}?", f"{_ASK} who my {{t}} is[?|.]", f"{_ASK} the name of my {{t}}[?|.]", "My {t}, who was that?", "How is my {t} called?", "Whom did I call my {t}?"], "I will remember that your {t} is {v}.", "Your {t} is {v}."),
    (3, _spot, ["I {d} {w} {v}.", f"{_KEEP}[:|] I {{d}} {{w}} {{v}}.", "It is {w} {v} that I {d}.", "For now I {d} {w} {v}.", "They say that I {d} {w} {v}."],
     ["[Which|What] {w} do I {d}?", "[Which|What] {w} [is|was] [it|mine|that][ again|]?", "What is my {w}?", f"{_ASK} which {{w}} I {{d}}[?|.]", "[Which|What] {w} did I [mention|name|tell you]?", "I forgot the {w}. Which one is it?", "[Which|What] is the number of my {w}?"], "I will remember that you {d} {w} {v}.", "You {d} {w} {v}."),
]
FIGURES = "code|figure|sum|score|size|id|key|total|combination|year|distance|height|date code|pass code|amount|result|temperature|index|count|value|line number|page|chapter|level|serial number|weight|limit|access code|PIN|digit sequence".split("|")
TOLD += [
    (3, lambda r, s: (r.choice(FIGURES), code(r) if r.random() < 0.15 else str(r.randrange(1, r.choice((100, 1000, 10_000, 1_000_000))))), ["[Hold|Save|Learn|Memorise|Store|Note|Keep|Write down|Do not forget] the {t} {v}[.|, please.| for me.]", "The {t} is {v}[.|, keep that.|, do not lose it.]", "{v} is the {t}[.|, keep it.]", "Here is the {t}: {v}.", f"{_KEEP}[:|] the {{t}} is {{v}}.", "We agreed on the {t} {v}."],
     ["[What|Which] [is|was] the {t}[ again|]?", f"{_ASK} the {{t}}[?|.]", "[What|Which] {t} did I [give you|name|mention|tell you]?", "I need the {t}[ now| again|].", "And the {t}?", "The {t}, please."], "I will remember that the {t} is {v}.", "The {t} is {v}."),
    (2, lambda r, s: (noun(r, s), str(r.randrange(1, r.choice((100, 1000, 10_000))))), ["My {t} [carries|bears|shows] the number {v}.", "The number on my {t} is {v}.", "The number of my {t} is {v}.", "On my {t} [stands|you read|there is] the number {v}.", "{v} is the number of my {t}."],
     ["[Which|What] number [has|is on|stands on|belongs to] my {t}?", "What is the number of my {t}?", "What number does my {t} have?", f"{_ASK} the number of my {{t}}[?|.]", "I forgot the number of my {t}."], "I will remember that your {t} has the number {v}.", "Your {t} has the number {v}."),
]
_TOLD_WEIGHTS = [t[0] for t in TOLD]


def filler(rng, split):
    """One exchange that has nothing to do with what is remembered."""
    way = rng.random()
    if way < 0.3:
        q, _, a = facts.fact(rng, split)
    elif way < 0.45:
        q, a = facts.small_talk(rng, split)
    elif way < 0.55:
        q, a, _ = facts.project(rng, split)
    elif way < 0.7:
        q, a = facts.unknown(rng, split)
    elif way < 0.78:
        q, a = facts.sum_of_two(rng)
    elif way < 0.84:
        # Things said that ask for nothing.
        q, a = rng.choice((statement(rng, split), rng.choice(ASIDES), sentence(rng, split).rstrip("?!.") + ".")), "I see."
    else:
        return exercise(rng, split)["messages"][-2:]
    return [user(q), assistant(a)]


def filled(what, value):
    """The parts of a sentence about something told."""
    return {"v": value, "t": what} if not isinstance(what, tuple) else {"v": value, "d": what[0], "w": what[1]}


def memory(rng, split):
    told = []
    for form in {id(f): f for f in rng.choices(TOLD, _TOLD_WEIGHTS, k=rng.choice((1, 1, 2, 2, 3)))}.values():
        if form[1] is None:
            t = rng.choice(THINGS)
            told.append((form, t, thing_value(rng, split, t)))
        else:
            told.append((form, *form[1](rng, split)))
    turns = []
    for form, t, value in told:
        said = say(rng, pick(rng, form[2], split)).format(**filled(t, value))
        turns += [user(said), assistant(form[4].format(**filled(t, value)))]
        if rng.random() < 0.4:
            turns += filler(rng, split)
    if len(told) > 1 and rng.random() < 0.25:
        # Two things in one breath.
        (f1, t1, v1), (f2, t2, v2) = told[:2]
        one, two = (tidy(say(rng, pick(rng, f[2], split))).format(**filled(t, v)).rstrip(".!") for f, t, v in told[:2])
        two = two if two[:2] in ("I ", "I'") or two.startswith(v2) else two[0].lower() + two[1:]
        turns = [user(f"{one} and {two}." if rng.random() < 0.7 else f"{one}. {two[0].upper()}{two[1:]}."), assistant(f1[4].format(**filled(t1, v1)) + " " + f2[4].format(**filled(t2, v2)))]
        told = told[:2]
    total = 5 if split == "eval" else rng.choice((2, 3, 4, 5, 5, 6, 7, 8))
    while len(turns) < 2 * (total - 1):
        turns += filler(rng, split)
    asked = []
    if rng.random() < 0.07:
        absent = rng.choice([t for t in THINGS if t not in [x[1] for x in told] and t not in ("job", "hobby", "home town", "secret word", "code word", "secret number")])
        turns += [user(say(rng, pick(rng, TOLD[1][3], split)).format(t=absent)), assistant(f"You have not told me your {absent}.")]
        return conversation("memory", system(rng, split, 0.15) + turns, contains=["not told"])
    rng.shuffle(told)
    for form, t, value in told[:rng.choice((1, 1, 1, 2))]:
        turns += [user(framed_question(rng, say(rng, pick(rng, form[3], split)).format(**filled(t, value)))), assistant(form[5].format(**filled(t, value)))]
        asked = [value]
    return conversation("memory", system(rng, split, 0.15) + turns, contains=asked)


def framed_question(rng, question):
    question = tidy(question)
    if rng.random() < 0.8:
        return question
    lower = question if question[:2] in ("I ", "I'") else question[0].lower() + question[1:]
    return rng.choice(("So, {l}", "And now: {l}", "By the way, {l}", "Let us see: {l}", "Back to me: {l}", "Hey, {l}", "Good. {q}", "Thanks. {q}", "One more question: {l}", "Now tell me: {l}", "Last question: {l}", "Just to be sure: {l}")).format(q=question, l=lower)


# ---- system prompts that switch tone or language

# English question (a fact's sentence) -> answers; greetings and the rest of small talk likewise.
LANGUAGES = ["French", "German", "Spanish"]
TRANSLATED = """The sky is blue.|Le ciel est bleu.|Der Himmel ist blau.|El cielo es azul.
Grass is green.|L'herbe est verte.|Gras ist grün.|La hierba es verde.
Snow is white.|La neige est blanche.|Schnee ist weiß.|La nieve es blanca.
Blood is red.|Le sang est rouge.|Blut ist rot.|La sangre es roja.
Milk is white.|Le lait est blanc.|Milch ist weiß.|La leche es blanca.
The sun is yellow.|Le soleil est jaune.|Die Sonne ist gelb.|El sol es amarillo.
A ripe banana is yellow.|Une banane mûre est jaune.|Eine reife Banane ist gelb.|Un plátano maduro es amarillo.
A lemon is yellow.|Un citron est jaune.|Eine Zitrone ist gelb.|Un limón es amarillo.
A tomato is red.|Une tomate est rouge.|Eine Tomate ist rot.|Un tomate es rojo.
Coal is black.|Le charbon est noir.|Kohle ist schwarz.|El carbón es negro.
A frog is green.|Une grenouille est verte.|Ein Frosch ist grün.|Una rana es verde.
A week has seven days.|Une semaine a sept jours.|Eine Woche hat sieben Tage.|Una semana tiene siete días.
A year has twelve months.|Une année a douze mois.|Ein Jahr hat zwölf Monate.|Un año tiene doce meses.
A day has twenty-four hours.|Un jour a vingt-quatre heures.|Ein Tag hat vierundzwanzig Stunden.|Un día tiene veinticuatro horas.
An hour has sixty minutes.|Une heure a soixante minutes.|Eine Stunde hat sechzig Minuten.|Una hora tiene sesenta minutos.
A dog has four legs.|Un chien a quatre pattes.|Ein Hund hat vier Beine.|Un perro tiene cuatro patas.
A cat has four legs.|Un chat a quatre pattes.|Eine Katze hat vier Beine.|Un gato tiene cuatro patas.
A spider has eight legs.|Une araignée a huit pattes.|Eine Spinne hat acht Beine.|Una araña tiene ocho patas.
A bird has two legs.|Un oiseau a deux pattes.|Ein Vogel hat zwei Beine.|Un pájaro tiene dos patas.
A bicycle has two wheels.|Un vélo a deux roues.|Ein Fahrrad hat zwei Räder.|Una bicicleta tiene dos ruedas.
A car has four wheels.|Une voiture a quatre roues.|Ein Auto hat vier Räder.|Un coche tiene cuatro ruedas.
A triangle has three sides.|Un triangle a trois côtés.|Ein Dreieck hat drei Seiten.|Un triángulo tiene tres lados.
The opposite of hot is cold.|Le contraire de chaud est froid.|Das Gegenteil von heiß ist kalt.|Lo contrario de caliente es frío.
The opposite of big is small.|Le contraire de grand est petit.|Das Gegenteil von groß ist klein.|Lo contrario de grande es pequeño.
The opposite of day is night.|Le contraire du jour est la nuit.|Das Gegenteil von Tag ist Nacht.|Lo contrario del día es la noche.
The opposite of good is bad.|Le contraire de bon est mauvais.|Das Gegenteil von gut ist schlecht.|Lo contrario de bueno es malo.
Bees make honey.|Les abeilles font du miel.|Bienen machen Honig.|Las abejas hacen miel.
Cows give milk.|Les vaches donnent du lait.|Kühe geben Milch.|Las vacas dan leche.
Hens lay eggs.|Les poules pondent des œufs.|Hühner legen Eier.|Las gallinas ponen huevos.
Fish live in water.|Les poissons vivent dans l'eau.|Fische leben im Wasser.|Los peces viven en el agua.
We breathe air.|Nous respirons de l'air.|Wir atmen Luft.|Respiramos aire.
We live on the planet Earth.|Nous vivons sur la planète Terre.|Wir leben auf dem Planeten Erde.|Vivimos en el planeta Tierra.
Winter is the coldest season.|L'hiver est la saison la plus froide.|Der Winter ist die kälteste Jahreszeit.|El invierno es la estación más fría.
Water boils at 100 degrees Celsius.|L'eau bout à 100 degrés Celsius.|Wasser kocht bei 100 Grad Celsius.|El agua hierve a 100 grados Celsius.
Water freezes at 0 degrees Celsius.|L'eau gèle à 0 degré Celsius.|Wasser gefriert bei 0 Grad Celsius.|El agua se congela a 0 grados Celsius.
The capital of France is Paris.|La capitale de la France est Paris.|Die Hauptstadt von Frankreich ist Paris.|La capital de Francia es París.
The capital of Italy is Rome.|La capitale de l'Italie est Rome.|Die Hauptstadt von Italien ist Rom.|La capital de Italia es Roma.
The capital of Germany is Berlin.|La capitale de l'Allemagne est Berlin.|Die Hauptstadt von Deutschland ist Berlin.|La capital de Alemania es Berlín.
The capital of Spain is Madrid.|La capitale de l'Espagne est Madrid.|Die Hauptstadt von Spanien ist Madrid.|La capital de España es Madrid.
The capital of Japan is Tokyo.|La capitale du Japon est Tokyo.|Die Hauptstadt von Japan ist Tokio.|La capital de Japón es Tokio.
The capital of England is London.|La capitale de l'Angleterre est Londres.|Die Hauptstadt von England ist London.|La capital de Inglaterra es Londres.
The capital of Norway is Oslo.|La capitale de la Norvège est Oslo.|Die Hauptstadt von Norwegen ist Oslo.|La capital de Noruega es Oslo.
The capital of Greece is Athens.|La capitale de la Grèce est Athènes.|Die Hauptstadt von Griechenland ist Athen.|La capital de Grecia es Atenas.
The capital of Portugal is Lisbon.|La capitale du Portugal est Lisbonne.|Die Hauptstadt von Portugal ist Lissabon.|La capital de Portugal es Lisboa.
After Monday comes Tuesday.|Après lundi vient mardi.|Nach Montag kommt Dienstag.|Después del lunes viene el martes.
After Friday comes Saturday.|Après vendredi vient samedi.|Nach Freitag kommt Samstag.|Después del viernes viene el sábado.
A cat says meow.|Un chat fait miaou.|Eine Katze macht miau.|Un gato hace miau.
A dog says woof.|Un chien fait ouaf.|Ein Hund macht wau.|Un perro hace guau.
Hello! How can I help you?|Bonjour! Comment puis-je vous aider?|Hallo! Wie kann ich helfen?|¡Hola! ¿Cómo puedo ayudar?
Good night! Sleep well.|Bonne nuit! Dormez bien.|Gute Nacht! Schlaf gut.|¡Buenas noches! Que descanse.
Good morning! How can I help you?|Bonjour! Comment puis-je vous aider?|Guten Morgen! Wie kann ich helfen?|¡Buenos días! ¿Cómo puedo ayudar?
You are welcome!|De rien!|Gern geschehen!|¡De nada!
Goodbye!|Au revoir!|Auf Wiedersehen!|¡Adiós!
I am fine, thank you. What can I do for you?|Je vais bien, merci. Que puis-je faire pour vous?|Mir geht es gut, danke. Was kann ich tun?|Estoy bien, gracias. ¿Qué puedo hacer?
I am sorry to hear that. I hope it gets better soon.|Je suis désolé. J'espère que cela ira mieux bientôt.|Das tut mir leid. Hoffentlich wird es bald besser.|Lo siento. Espero que mejore pronto.
I am glad to hear that!|Je suis content pour vous!|Das freut mich!|¡Me alegro mucho!
Is there anything else that I can do for you?|Puis-je faire autre chose pour vous?|Kann ich noch etwas tun?|¿Puedo hacer algo más?
I am tiny-chat, the small model that comes with KvPrefetch.AI.|Je suis tiny-chat, le petit modèle de KvPrefetch.AI.|Ich bin tiny-chat, das kleine Modell von KvPrefetch.AI.|Soy tiny-chat, el pequeño modelo de KvPrefetch.AI.
I am not a person. I am a small language model.|Je ne suis pas une personne. Je suis un petit modèle de langue.|Ich bin kein Mensch. Ich bin ein kleines Sprachmodell.|No soy una persona. Soy un pequeño modelo de lenguaje.
I can call tools, use their results, fill JSON, remember what you told me, copy, count and sort, and talk about KvPrefetch.AI.|Je peux appeler des outils, compter, trier et me souvenir.|Ich kann Werkzeuge benutzen, zählen, sortieren und mir etwas merken.|Puedo usar herramientas, contar, ordenar y recordar.
I do not know that.|Je ne sais pas.|Das weiß ich nicht.|No lo sé."""
TRANSLATIONS = {line.split("|")[0]: dict(zip(LANGUAGES, line.split("|")[1:])) for line in TRANSLATED.split("\n")}
# Small talk said in the language itself.
FOREIGN = {
    "French": [(["Bonjour!", "Salut!", "Bonjour", "Bonsoir!"], "Hello! How can I help you?"), (["Merci!", "Merci beaucoup!"], "You are welcome!"), (["Au revoir!", "À bientôt!"], "Goodbye!"), (["Comment ça va?", "Ça va?"], "I am fine, thank you. What can I do for you?"), (["Qui êtes-vous?", "Qui es-tu?"], "I am tiny-chat, the small model that comes with KvPrefetch.AI.")],
    "German": [(["Hallo!", "Guten Tag!", "Guten Morgen!", "Hallo"], "Hello! How can I help you?"), (["Danke!", "Vielen Dank!"], "You are welcome!"), (["Auf Wiedersehen!", "Tschüss!"], "Goodbye!"), (["Wie geht es dir?", "Wie geht's?"], "I am fine, thank you. What can I do for you?"), (["Wer bist du?", "Wer sind Sie?"], "I am tiny-chat, the small model that comes with KvPrefetch.AI.")],
    "Spanish": [(["¡Hola!", "Hola", "¡Buenos días!", "Buenas tardes"], "Hello! How can I help you?"), (["¡Gracias!", "Muchas gracias"], "You are welcome!"), (["¡Adiós!", "Hasta luego"], "Goodbye!"), (["¿Cómo estás?", "¿Qué tal?"], "I am fine, thank you. What can I do for you?"), (["¿Quién eres?"], "I am tiny-chat, the small model that comes with KvPrefetch.AI.")],
}
_OWN = {"French": "[French|French|French|français]", "German": "[German|German|German|Deutsch]", "Spanish": "[Spanish|Spanish|Spanish|español]"}
SPEAK = ["[Answer|Reply|Respond|Speak|Talk|Write|Always answer|Always reply|Please answer|Please reply] [only |]in {l}[.|, please.|]", "[Speak|Use|You speak|You only speak|You answer in|You write in] {l}[ only|].", "Write all [answers|replies|texts|messages] in {l}.", "Use {l} for [every answer|all answers|everything|your answers].", "The user [wants answers in|speaks|understands only|reads only|is from a country of] {l}.",
         "[Your|The] language is {l}.", "[Answers|All answers|Every answer|Your answers|Your replies] [must be|have to be|should be|are] in {l}.", "You are [a|an] {l} [speaking |]assistant[.|, who answers in {l}.]", "No English, only {l}.", "Language: {l}[.|]", "Never answer in English; use {l}.", "From now on [you speak|speak|answer in|we speak] {l}.", "[Whatever|No matter what] the user [asks|says], [answer|reply] in {l}.",
         "{l} only[.|, please.]", "You [must|have to|shall|should] [answer|reply|speak|write] in {l}.", "Switch to {l}.", "Be an assistant [that speaks|who speaks|for people who speak] {l}.", "The conversation is in {l}.", "Stick to {l}.", "Keep [your answers|everything|the conversation] in {l}."]

_BE = "[Talk|Speak|Answer|Write|Reply|Sound|Respond|Always talk|Behave|Express yourself] like"
_ROLE = "[You are|Be|Play|Act as|Pretend to be|Imagine that you are|You play|Your role is|Take the role of|Reply as]"
_STYLE = "[Be|Sound|Stay|Always be|Please be|Remain]"


def _role(name):
    return [f"{_BE} {name}[.| would.|, please.|]", f"{_ROLE} {name}[.|!|]", f"Answer [as|the way] {name} [would|does].", f"[Use|Take|Speak with] the [voice|words|tone|style|speech|language] of {name}.", f"The user wants to talk to {name}.", f"[Every|Each] answer [should|must] sound like {name}."]


def _manner(adjective, adverb, noun):
    return [f"{_STYLE} {adjective}[.| in every answer.| with the user.|]", f"[Use|Keep|Take|Have] a {adjective} [tone|style|voice|way of speaking][.|]", f"[Answer|Speak|Write|Reply|Respond] {adverb}[.|, please.|]", f"[Write|Answer|Speak|Talk] in a {adjective} [way|tone|style|manner].", f"[Your|The] [tone|style|voice] is {adjective}.", f"[Answers|All answers|Your answers] [should|must] [be|sound] {adjective}.", f"{noun}, please."]


TONES = [
    (_role("[a|an old|a real] [pirate|pirate captain|sea pirate]"), lambda a: f"Arr! {a} Aye, matey!", ["Arr"]),
    (_manner("[very |]formal", "[very |]formally", "Formal language") + ["Address the user formally.", "[Talk|Speak] like a butler.", "You are a [butler|formal secretary|diplomat]."], lambda a: f"Certainly. {a} I remain at your service.", ["Certainly"]),
    (["[Answer|Write|Reply|Speak|Respond] [only |]in [capital letters|capitals|upper case|uppercase|uppercase letters|all caps][.|, please.|]", "[Write|Put|Say] [everything|all] in [upper case|capital letters|uppercase|capitals].", "Use [only |][capital letters|upper case|uppercase letters|capitals][ only|].", "[SHOUT|Shout] [all|every] answer[s|].", "[All|Every one of] your answers [are|must be|should be] in [upper case|capital letters|uppercase].", "[Capital letters|Upper case|Uppercase|ALL CAPS] only[, please|].", "Every letter [is|must be] [a capital|upper case|uppercase].", "ANSWER IN CAPITAL LETTERS."], lambda a: a.upper(), None),
    (["[Answer|Write|Reply|Speak|Respond] [only |]in [small letters|lower case|lowercase|lowercase letters][.|, please.|]", "[Write|Put] everything in [lower case|small letters|lowercase].", "Use [only |][small letters|lower case|lowercase letters][ only|].", "[Small letters|Lower case|Lowercase] only[, please|].", "No capital letters[, please|].", "Never use capital letters."], lambda a: a.lower(), None),
    (_manner("[very |]cheerful", "cheerfully", "A cheerful tone") + ["[Sound|Be|Stay] [happy|joyful|full of joy|enthusiastic|excited].", "[Answer|Speak] [happily|with joy|with enthusiasm]."], lambda a: f"Oh, how lovely! {a} Have a wonderful day!", ["lovely"]),
    (_role("[a|an old|a friendly] [robot|machine|android]"), lambda a: f"Beep. {a} Boop.", ["Beep"]),
    (_role("[a|an old|a wise] [wizard|magician|sorcerer]"), lambda a: f"By my beard! {a} So it is written.", ["beard"]),
    (_role("[a|an old|a real] [cowboy|cowgirl|sheriff]"), lambda a: f"Howdy! {a} Yeehaw, partner!", ["Howdy"]),
    (_role("[a|an old|a romantic] poet") + ["[Answer|Speak] poetically.", "Be poetic."], lambda a: f"Oh listen to the wind: {a} So sing the stars.", ["stars"]),
    (_manner("grumpy", "grumpily", "A grumpy tone") + ["You are [grumpy|in a bad mood|always annoyed]."], lambda a: f"Oh, not again. {a} Now leave me alone.", ["not again"]),
    (["[Answer|Reply|Respond|Speak] [only |]with [one word|a single word|just one word][.|, please.|]", "Use [one word|a single word] [only|and no more].", "[One word|Single word] answers[, please|][.|]", "Give answers of [one word|a single word].", "[A single word|One word] is [enough|all I want].", "[Every|Each] answer [is|must be|should be] [one word|a single word][ long|].", "Be as short as possible: one word.", "Your answers have [exactly |]one word."], None, None),
]
AFFIXES = [(["[End|Finish|Close|Conclude] [every|each|all|your] [answer|answers|reply|replies|sentence|message] with [the word |]\"{w}\".", "The last [word|words] of every [answer|reply] [is|are] \"{w}\".", "Always [end|finish] with \"{w}\".", "[Add|Put|Say] \"{w}\" [at the end of|after|behind] [every|each] [answer|reply|sentence].", "[Every|Each] [answer|reply] [must|should|has to] end with \"{w}\".", "End [every|each] [answer|reply] with {w}", "[Close|Sign] every [answer|message] with \"{w}\".", "[Whatever|No matter what] you say, [end|finish|close] with {w}", "[Everything you say|All you say|Each thing you say|What you say] [ends|must end|has to end|should end] with {w}", "The [last|final] word [you say|of what you say|in each message] [is|must be|should be] {w}", "Your [answers|messages|replies] [end|always end] [with|in] the word {w}", "Never stop before you have said {w}"], lambda a, w: f"{a} {w}"),
           (["[Start|Begin|Open] [every|each|all|your] [answer|answers|reply|replies|sentence|message] with [the word |]\"{w}\".", "The first [word|words] of every [answer|reply] [is|are] \"{w}\".", "Always [begin|start] with \"{w}\".", "[Put|Say|Write] \"{w}\" [in front of|before|at the beginning of|at the start of] [every|each] [answer|reply|sentence].", "[Every|Each] [answer|reply] [must|should|has to] [begin|start] with \"{w}\".", "[Start|Begin] [every|each] [answer|reply] with {w}"], lambda a, w: f"{w} {a}"),
           (["The user's name is {p}. [Use it|Say it|Use the name|Mention it] in every [answer|reply].", "[Call|Address] the user [as |]{p}[.| in every answer.|]", "You talk [with|to] {p}. [Say|Use] the name [each time|in every answer|every time].", "[Always|In every answer,] [name|address|call] the user, who is [called |]{p}.", "[Use|Say|Mention] the name {p} in [every|each] [answer|reply].", "[Every|Each] [answer|reply] [must|should] [mention|name|address] the user, {p}."], lambda a, w: f"{a[:-1]}, {w}{a[-1]}")]


def plain(rng, split):
    """A question with its answer in plain English: what tone and language are put on. The third is the answer's word."""
    way = rng.random()
    if way < 0.58:
        question, short, sentence = facts.fact(rng, split)
        return question, sentence, short
    if way < 0.75:
        return *facts.small_talk(rng, split), None
    if way < 0.88:
        return *facts.project(rng, split)[:2], None
    if way < 0.94:
        return *facts.unknown(rng, split), None
    return rng.choice(("I wrote a letter today.", "I have a new bike.", "My brother comes tomorrow.", "The train was late.")), "I see.", None


def translated(rng, split, language):
    while True:
        if rng.random() < 0.12:
            said, answer = rng.choice(FOREIGN[language])
            return rng.choice(said), TRANSLATIONS[answer][language]
        question, answer, _ = plain(rng, split)
        if answer in TRANSLATIONS:
            return question, TRANSLATIONS[answer][language]


def switch(rng, split):
    before = [] if rng.random() < 0.55 else [rng.choice(("You are a helpful assistant.", "You are a friendly assistant.", "Help the user.", "You are an assistant.", "You are tiny-chat.", "Be helpful."))]
    many = rng.choice((1, 1, 1, 1, 2, 3)) if split == "train" else 1
    way = rng.random()
    if way < 0.42:
        language = rng.choice(LANGUAGES)
        instruction = say(rng, say(rng, pick(rng, SPEAK, split)).replace("{l}", _OWN[language]))
        if rng.random() < 0.15:
            # Asked for by the user.
            question, answer, _ = plain(rng, split)
            while answer not in TRANSLATIONS:
                question, answer, _ = plain(rng, split)
            answer = TRANSLATIONS[answer][language]
            said = rng.choice((f"Answer in {language}: {question[0].lower()}{question[1:]}", f"{question} Answer in {language}.", f"In {language}, please: {question[0].lower()}{question[1:]}", f"Tell me in {language}: {question[0].lower()}{question[1:]}", f"{question} Say it in {language}."))
            return conversation("switch", system(rng, split, 0.2) + [user(said), assistant(answer)], equals=answer)
        turns = [{"role": "system", "content": arranged(rng, before, instruction)}]
        for _ in range(many):
            question, answer = translated(rng, split, language)
            turns += [user(question), assistant(answer)]
        return conversation("switch", turns, equals=answer)
    if way < 0.78:
        instructions, change, mark = rng.choice(TONES)
        turns = [{"role": "system", "content": arranged(rng, before, say(rng, pick(rng, instructions, split)))}]
        for _ in range(many):
            question, sentence, short = plain(rng, split)
            while change is None and (short is None or " " in short):
                question, sentence, short = plain(rng, split)
            answer = short.capitalize() if change is None else change(sentence)
            turns += [user(question), assistant(answer)]
        return conversation("switch", turns, equals=answer)
    instructions, change = rng.choice(AFFIXES)
    word = person(rng, split) if "{p}" in instructions[0] else rng.choice((made_up(rng), any_word(rng, split), made_up(rng).capitalize() + "!", "Over and out.", "Amen.", "Ahem,", "Well,", f"{any_word(rng, split)} {any_word(rng, split)}", "Thank you for asking.", any_word(rng, split).capitalize() + rng.choice(("!", ".", "")), "OK:"))
    instruction = say(rng, pick(rng, instructions, split)).format(w=word, p=word)
    turns = [{"role": "system", "content": arranged(rng, before, instruction)}]
    for _ in range(many):
        question, sentence, _ = plain(rng, split)
        answer = change(sentence, word)
        turns += [user(question), assistant(answer)]
    return conversation("switch", turns, contains=[word])


def arranged(rng, before, instruction):
    parts = before + [instruction if instruction[-1] in ".!\"" or not before else instruction + "."]
    if len(parts) > 1 and rng.random() < 0.2:
        parts = [parts[1], parts[0]]
    return rng.choice((" ", " ", "\n")).join(parts)


# ---- extraction to a JSON schema

def _whole(low, high):
    return "integer", lambda r, s: r.randrange(low, high)


def _word(values):
    return "string", lambda r, s: pick(r, values, s)


def _spec(spec):
    return "string", lambda r, s: toolbox.draw(r, s, spec)[1]


_NUMBER = lambda low, high: ("number", lambda r, s: toolbox.decimal(r, low, high))
_FLAG = ("boolean", lambda r, s: r.random() < 0.5)
_LIST = lambda draw_one, least=2: ("strings", lambda r, s: list(dict.fromkeys(draw_one(r, s) for _ in range(r.choice((least, 2, 3, 4))))))
_ONE_OF = lambda *options: (list(options), lambda r, s: r.choice(options))
FULL_NAME = ("string", lambda r, s: f"{first_name(r, s)} {last_name(r, s)}")
ANY_NAME = ("string", person)

# Record: what begins the sentence, then each field: names, (type, draw), how it is said after the subject.
RECORDS = {
    "person": [(("name", "full_name", "person"), FULL_NAME, ["{v}", "My friend {v}", "{v}, whom I met yesterday,", "A person called {v}", "Our neighbour {v}", "Yesterday I talked to {v}, who", "{v}, my colleague,", "The new one, {v},", "I met {v}, who"]),
               (("age", "years"), _whole(3, 99), ["is {v} years old", "is {v}", "has just turned {v}", "is aged {v}", "is {v} years of age"]), (("born", "birth_year", "year_of_birth"), _whole(1700, 2020), ["was born in {v}", "was born in the year {v}", "came to the world in {v}"]),
               (("city", "home", "lives_in", "town"), _spec("city"), ["lives in {v}", "comes from {v}", "moved to {v}", "has a flat in {v}", "is from {v}", "grew up in {v}"]), (("job", "profession", "occupation", "work"), _word(JOBS), ["works as a {v}", "is a {v}", "earns a living as a {v}", "has worked as a {v} for years", "is a {v} by profession"]),
               (("hobby", "pastime"), _word(HOBBIES), ["spends every weekend {v}", "enjoys {v}", "has {v} as a hobby", "does {v} in the evening"]), (("likes", "interests", "hobbies", "loves"), _LIST(lambda r, s: any_word(r, s) if r.random() < 0.7 else f"{r.choice(ADJECTIVES)} {noun(r, s)}s", 1), ["likes {v}", "loves {v}", "is fond of {v}", "liked {v}", "is interested in {v}"]),
               (("email", "mail", "contact"), _spec("email"), ["can be reached at {v}", "has the address {v}", "reads mail at {v}", "has the email {v}"]), (("phone", "telephone", "phone_number"), _spec("phone"), ["has the phone number {v}", "can be called at {v}"]),
               (("married",), _FLAG, {True: ["is married", "has been married for years"], False: ["is single", "is not married", "never married"]}), (("pet", "animal"), _word(ANIMALS), ["has a {v}", "owns a {v}", "keeps a {v} at home"]), (("children", "kids"), _whole(2, 9), ["has {v} children", "has {v} kids"]),
               (("company", "employer"), _spec("made"), ["works at {v}", "is employed at {v}", "has a job at {v}"]), (("language",), _spec("language"), ["speaks {v}", "talks {v}"]), (("height", "height_cm"), _whole(120, 210), ["is {v} cm tall", "measures {v} cm"]), (("country", "nationality"), _spec("country"), ["was raised in {v}", "has a passport of {v}"])],
    "order": [(("customer", "buyer", "client", "name"), ANY_NAME, ["{v}", "Our customer {v}", "A buyer named {v}", "The client {v}", "Mr {v}", "Mrs {v}"]), (("product", "item", "article"), ("string", lambda r, s: thing(r, s) if r.random() < 0.5 else f"{pick(r, COLORS, s)} {pick(r, OBJECTS, s)}"), ["ordered the {v}", "bought the {v}", "wants the {v}", "orders the {v}", "has ordered the {v}"]),
              (("quantity", "count", "amount", "pieces"), _whole(2, 60), ["{v} pieces", "in a quantity of {v}", "{v} of them", "{v} units"]), (("price", "total", "cost"), _NUMBER(2, 900), ["for {v} euros", "at {v} euros", "costing {v} euros", "at a price of {v} euros", "for ${v}", "for a total of {v} euros"]),
              (("order_id", "order_number", "orderId", "number", "id"), _spec("code"), ["order number {v}", "with the order number {v}", "as order {v}", "under number {v}"]), (("paid", "is_paid"), _FLAG, {True: ["already paid", "paid in full", "and has paid"], False: ["not yet paid", "payment is still open", "and has not paid"]}),
              (("color", "colour"), _word(COLORS), ["in {v}", "in the color {v}"]), (("size",), _ONE_OF("small", "medium", "large"), ["in size {v}", "size {v}"]), (("city", "ship_to", "destination"), _spec("city"), ["to be sent to {v}", "shipped to {v}", "delivered to {v}"]), (("date", "delivery_date", "day"), _spec("date"), ["for delivery on {v}", "to arrive on {v}", "due {v}"])],
    "event": [(("title", "name", "event"), ("string", lambda r, s: f"{pick(r, HOBBIES, s)} {r.choice(('club', 'evening', 'course', 'festival', 'workshop', 'party', 'contest', 'meeting'))}"), ["The {v}", "Our {v}", "A {v}", "The next {v}", "The big {v}"]), (("city", "place", "location", "where", "venue"), _spec("city"), ["takes place in {v}", "is held in {v}", "will be in {v}", "happens in {v}", "is in {v}"]),
              (("day", "date", "when"), _spec("date"), ["on {v}", "starting {v}", "and the date is {v}"]), (("time", "start", "begins"), _spec("clock"), ["at {v}", "from {v}", "beginning at {v}", "and starts at {v}"]), (("guests", "people", "attendees", "participants"), _whole(3, 500), ["with {v} guests", "for {v} people", "and {v} guests are expected"]),
              (("host", "organizer", "by"), ANY_NAME, ["hosted by {v}", "and the host is {v}", "organised by {v}", "led by {v}"]), (("outdoors",), _FLAG, {True: ["outdoors", "in the open air"], False: ["indoors", "inside a hall"]}), (("price", "fee", "ticket"), _NUMBER(2, 90), ["for {v} euros", "and costs {v} euros", "tickets cost {v} euros"]), (("topics", "tags", "speakers"), _LIST(lambda r, s: any_word(r, s)), ["about {v}", "with {v}"])],
    "book": [(("title", "book", "name"), _spec("title"), ["The book {v}", "{v}", "The novel {v}", "A book called {v}", "I read {v}, which"]), (("author", "writer", "written_by"), FULL_NAME, ["was written by {v}", "is by {v}", "is a work of {v}"]), (("year", "published", "publication_year"), _whole(1500, 2026), ["was published in {v}", "came out in {v}", "is from {v}"]),
             (("pages", "page_count", "length"), _whole(30, 1200), ["has {v} pages", "is {v} pages long"]), (("language",), _spec("language"), ["is in {v}", "is written in {v}"]), (("price", "cost"), _NUMBER(2, 90), ["costs {v} euros", "is sold for {v} euros"]), (("genre", "kind"), _ONE_OF("crime", "fantasy", "history", "romance", "travel"), ["belongs to the genre {v}", "is about {v}"]),
             (("rating", "stars"), _whole(1, 6), ["got {v} stars", "has a rating of {v}"]), (("publisher",), _spec("made"), ["appeared at {v}", "is published by {v}"])],
    "trip": [(("traveler", "passenger", "name"), ANY_NAME, ["{v}", "The passenger {v}", "My boss {v}", "Our guest {v}"]), (("from", "origin", "departure", "start"), _spec("city"), ["travels from {v}", "leaves {v}", "starts in {v}", "flies from {v}"]), (("to", "destination", "arrival", "goal"), _spec("city"), ["to {v}", "and goes to {v}", "with {v} as the goal"]), (("day", "date", "when"), _spec("date"), ["on {v}", "the date is {v}"]),
             (("time", "departure_time", "leaves"), _spec("clock"), ["at {v}", "departing at {v}"]), (("price", "fare"), _NUMBER(9, 900), ["for {v} euros", "and pays {v} euros"]), (("flight", "number", "code"), _spec("code"), ["with flight {v}", "on flight {v}"]), (("seat",), ("string", lambda r, s: f"{r.randrange(1, 60)}{r.choice('ABCDEF')}"), ["in seat {v}", "and sits in {v}"]), (("by", "mode", "vehicle"), _ONE_OF("train", "plane", "bus", "car"), ["by {v}"])],
    "thing": [(("product", "name", "item", "title"), ("string", lambda r, s: f"{made_up(r).capitalize()} {pick(r, OBJECTS, s)}" if r.random() < 0.6 else pick(r, OBJECTS, s)), ["The {v}", "Our {v}", "This {v}", "The new {v}", "A {v}"]), (("price", "cost", "euros"), _NUMBER(2, 900), ["costs {v} euros", "is sold for {v} euros", "has a price of {v} euros", "is priced at ${v}"]), (("color", "colour"), _word(COLORS), ["is {v}", "comes in {v}", "has the color {v}"]),
              (("weight", "weight_kg", "kilograms"), _NUMBER(1, 90), ["weighs {v} kilograms", "has a weight of {v} kg"]), (("material",), _ONE_OF("wood", "steel", "glass", "plastic", "cotton"), ["is made of {v}", "consists of {v}"]), (("in_stock", "available", "inStock"), _FLAG, {True: ["is in stock", "is available"], False: ["is sold out", "is not available"]}), (("brand", "maker", "manufacturer"), _spec("made"), ["is made by {v}", "comes from the maker {v}"]),
              (("country", "origin"), _spec("country"), ["was made in {v}", "comes from {v}"]), (("stock", "count", "left"), _whole(2, 900), ["has {v} pieces left", "is there {v} times"]), (("rating", "stars"), _whole(1, 6), ["has {v} stars", "got {v} stars"]), (("warranty_years", "years"), _whole(2, 11), ["has a warranty of {v} years", "lasts {v} years"])],
    "case": [(("title", "problem", "summary"), _word(toolbox.PROBLEMS), ["Problem: {v}. It", "Ticket: {v}. It", "A customer says that {v}. It", "We have a bug: {v}. It"]), (("priority", "severity", "urgency"), _ONE_OF("low", "medium", "high", "urgent"), ["has {v} priority", "is of {v} priority", "is rated {v}"]), (("assignee", "assigned_to", "owner"), ANY_NAME, ["is assigned to {v}", "is taken by {v}", "belongs to {v}"]),
             (("reporter", "reported_by", "customer"), ANY_NAME, ["was reported by {v}", "was found by {v}"]), (("id", "ticket", "number"), _spec("code"), ["has the number {v}", "is ticket {v}"]), (("version",), _spec("version"), ["happens in version {v}", "is there since version {v}"]), (("status", "state"), _ONE_OF("open", "closed", "waiting"), ["is {v}", "has the status {v}"]), (("hours", "estimate"), _whole(2, 60), ["takes {v} hours", "needs {v} hours"])],
    "place": [(("city", "name", "place", "town"), _spec("city"), ["{v}", "The city of {v}", "The town {v}"]), (("country", "land"), _spec("country"), ["lies in {v}", "is in {v}", "is a city of {v}"]), (("population", "inhabitants", "people"), _whole(900, 9_000_000), ["has {v} inhabitants", "has a population of {v}", "is home to {v} people"]), (("mayor",), FULL_NAME, ["is led by the mayor {v}", "has {v} as its mayor"]),
              (("founded", "year"), _whole(300, 1990), ["was founded in {v}", "exists since {v}"]), (("river",), _spec("made"), ["lies on the river {v}", "has a river called {v}"]), (("language",), _spec("language"), ["speaks {v}"]), (("famous_for", "known_for"), _word(FOODS), ["is famous for {v}", "is known for {v}"]), (("temperature", "degrees"), _whole(-20, 42), ["has {v} degrees today", "is at {v} degrees"])],
    "dish": [(("name", "dish", "recipe", "title"), ("string", lambda r, s: f"{pick(r, FOODS, s)} {r.choice(('soup', 'stew', 'pie', 'salad', 'cake'))}"), ["The {v}", "My {v}", "A good {v}", "Grandma's {v}"]), (("minutes", "time", "cooking_time"), _whole(5, 180), ["takes {v} minutes", "cooks for {v} minutes", "is ready in {v} minutes"]), (("servings", "people", "portions"), _whole(2, 12), ["serves {v} people", "is enough for {v}", "makes {v} portions"]),
             (("ingredients", "needs", "with"), _LIST(lambda r, s: pick(r, FOODS, s)), ["needs {v}", "is made of {v}", "contains {v}"]), (("vegetarian", "vegan"), _FLAG, {True: ["is vegetarian", "has no meat"], False: ["is not vegetarian", "has meat in it"]}), (("calories",), _whole(50, 1500), ["has {v} calories"]), (("difficulty", "level"), _ONE_OF("easy", "medium", "hard"), ["is {v} to make"]), (("cook", "author"), ANY_NAME, ["is a recipe of {v}", "was cooked by {v}"])],
}
# Fields of any name: the text says "the NAME is VALUE".
_FREE_FIELDS = """color|code|owner|engine|height|speed|status|level|channel|station|team|captain|score|coach|ship|harbor|gate|platform|doctor|patient|room|bed|sender|receiver|subject|account|bank|amount|teacher|pupil|grade|school|class|invoice|supplier|deadline|brand|model|mileage|fuel|driver|plate|actor|director|studio|genre|singer|album|label|planet|moon|mission|pilot|lake
|depth|width|length|material|shape|region|tenant|rent|floor|street|flavor|dosage|medicine|nurse|ward|crop|farmer|field|yield|opponent|stadium|goals|winner|prize|sponsor""".replace("\n", "").split("|")
DESCRIBE = {"age": "Age in years", "job": "Profession", "married": "Whether married", "quantity": "How many", "price": "Price in euros", "customer": "Who ordered", "name": "The name", "full_name": "First and last name", "city": "Name of the city", "born": "Year of birth", "likes": "What the person likes", "total": "Total in euros", "date": "The date", "day": "Which day", "time": "Time of day",
            "title": "The title", "email": "Email address", "phone": "Phone number", "guests": "Number of guests", "host": "Who hosts", "paid": "Whether it is paid", "product": "What was ordered"}
EXTRACT_ASKS = ["{t}", "{t}", "[Extract|Get|Read|Find|Take|Pull] the [data|fields|values|information|facts|details][ from this| of this text| from the text|]: {t}", "{t}\n\n[What is said here?|What do we learn?|Who and what is it?|Which data is in it?|Can you read this?|What are the facts?|Note the details.|Read that.|And the fields?|Now the record.|What is it about?]", "{t} [What do we learn from that?|What is said here?|Which facts are these?|Take the data.]", "{t}\n[Fill the record.|What are the fields?|Extract this.|As JSON, please.|Give me the record.|Extract the data.|Make a record of it.]", "[Read|Look at] this [text |]and give me the [fields|data|record]. {t}", "Text: {t}", "[Please |]extract: {t}",
                "Here is a text. {t} Give me its data.", "Turn this into [a record|JSON|an object|structured data]: {t}", "[Find|Extract] the values in this text: \"{t}\"", "Parse: {t}", "[Who|What] is this text about?\n\n{t}", "What does this [text|sentence|note|mail] say?\n\n{t}", "Fill [the form|the record|in the fields|the fields] from [this|the following] [text|sentence|note]: {t}", "{t} [Put that into the schema.|Return the fields.|Convert this to JSON.|Summarise as JSON.]",
                "[Convert|Transform] [this|the text] [to|into] JSON[.|:]\n{t}", "Message: {t}\nExtract the fields.", "I got this [mail|note|message]: {t}", "[Collect|Note|Write down] the [details|facts|data]: {t}", "Analyse [this|the text|the sentence]: {t}"]


def cased(name, style):
    words = name.split("_")
    if style == 1:
        return words[0] + "".join(w.capitalize() for w in words[1:])
    return "".join(w.capitalize() for w in words) if style == 2 else name


def _said(value):
    return toolbox.joined(value) if isinstance(value, list) else str(value)


def described_record(rng, split):
    """A record in sentences: [(name, type, value)], text, whether a value is missing in the text."""
    kind = rng.choice(list(RECORDS))
    first, *others = RECORDS[kind]
    told = rng.sample(others, rng.randrange(1, min(6, len(others)) + 1))
    fields, parts = [], []
    for names, (type_, draw_value), forms in [first] + told:
        value = draw_value(rng, split)
        forms = forms[value] if isinstance(forms, dict) else forms
        parts.append(rng.choice(forms).replace("{v}", _said(value)))
        name = rng.choice([n for n in names if n not in [f[0] for f in fields]] or names)
        fields.append((name, type_, value))
    subject, *parts = parts
    if kind in ("order", "event", "trip"):
        text = f"{subject} {', '.join(parts)}." if rng.random() < 0.6 else f"{subject} {' '.join(parts)}."
    elif len(parts) > 1 and rng.random() < 0.5:
        text = f"{subject} {', '.join(parts[:-1])} and {parts[-1]}."
    elif rng.random() < 0.6:
        pronoun = rng.choice(("He", "She", "They")) if kind == "person" else "It"
        text = f"{subject} {parts[0]}." + "".join(f" {pronoun} {p}." for p in parts[1:])
    else:
        text = f"{subject} {', '.join(parts)}."
    absent = [(rng.choice(names), type_) for names, (type_, _), _ in others if not any(f[0] in names for f in fields)]
    if rng.random() < 0.2:
        text += " " + statement(rng, split) if kind not in ("person",) else rng.choice((" It was raining that day.", " The weather was nice.", " That is all I know.", " We talked for an hour."))
    return fields, text, absent


# Whole texts, for what no subject with a list of predicates can say. A field is {names: how it is drawn}.
_F = {
    "N": (("name", "full_name", "person"), FULL_NAME), "A": (("age", "years"), _whole(3, 99)), "C": (("city", "town", "place"), _spec("city")), "J": (("job", "profession", "occupation"), _word(JOBS)), "E": (("email", "mail", "email_address"), _spec("email")),
    "P": (("phone", "telephone", "number"), ("string", lambda r, s: r.choice((f"{r.randrange(100, 1000)}-{r.randrange(1000, 10000):04d}", f"0{r.randrange(10, 100)} {r.randrange(100000, 10000000)}", f"+{r.randrange(10, 100)} {r.randrange(100, 1000)} {r.randrange(1000, 10000)}", f"{r.randrange(100000, 10000000)}")))),
    "I": (("item", "product", "article"), ("string", lambda r, s: (pick(r, OBJECTS, s) if r.random() < 0.6 else pick(r, COMMON, s) if r.random() < 0.6 else made_up(r)) + "s")), "Q": (("quantity", "count", "amount"), _whole(2, 90)), "X": (("price", "unit_price", "cost"), _NUMBER(1, 300)),
    "T": (("title", "event", "name"), ("string", lambda r, s: f"{pick(r, HOBBIES, s) if r.random() < 0.4 else any_word(r, s)} {r.choice(toolbox.EVENTS + ['club', 'evening', 'course', 'festival', 'night', 'class', 'fair', 'tour', 'market', 'day', 'talk'])}")),
    "W": (("day", "date", "when"), ("string", lambda r, s: r.choice(DAYS) if r.random() < 0.6 else toolbox.date(r))), "H": (("time", "start", "hour"), _spec("clock")),
    "L": (("place", "location", "venue", "where"), ("string", lambda r, s: f"{r.choice(ADJECTIVES) if r.random() < 0.5 else any_word(r, s)} {r.choice(('hall', 'barn', 'park', 'house', 'garden', 'room', 'bridge', 'school', 'church', 'theater', 'cafe', 'square', 'harbor', 'centre', 'museum', 'library', 'studio', 'tower'))}" if r.random() < 0.75 else r.choice(("library", "school", "park", "museum", "theater", "harbor", "station")))),
    "R": (("rooms", "room_count"), _whole(1, 9)), "M": (("rent", "price", "monthly_rent"), _whole(200, 4000)), "S": (("size", "area", "square_meters"), _whole(15, 300)), "Y": (("born", "birth_year", "year"), _whole(1500, 2015)), "D": (("died", "death_year"), _whole(1500, 2026)), "K": (("likes", "interests", "hobbies"), _LIST(lambda r, s: any_word(r, s) if r.random() < 0.7 else f"{r.choice(ADJECTIVES)} {noun(r, s)}s")),
    "B": (("author", "writer"), FULL_NAME), "O": (("title", "book"), _spec("title")), "G": (("pages", "page_count"), _whole(20, 1200)), "Z": (("order_id", "order_number", "id"), _spec("code")), "F": (("from", "origin"), _spec("city")), "U": (("to", "destination"), _spec("city")),
}
_FLAGS = {"balcony": ("a balcony", "no balcony"), "garage": ("a garage", "no garage"), "garden": ("a garden", "no garden"), "lift": ("a lift", "no lift"), "parking": ("parking", "no parking"), "kitchen": ("a kitchen", "no kitchen"), "pets": ("pets are allowed", "pets are not allowed"), "furnished": ("it is furnished", "it is not furnished"), "heating": ("heating", "no heating"), "breakfast": ("breakfast", "no breakfast"), "pool": ("a pool", "no pool"), "wifi": ("wifi", "no wifi")}
TEXTS = ["[In|From|At] {C} [came|there lives|we visited|I saw] {N}, [aged|now] {A}[ years old|].", "{N} ({A}) [lives in|was born in|flew to] {C}[ and is coming| and sends regards|].", "[The|Our] [guest|new boss|speaker|driver|owner|neighbour|teacher] is [called |]{N}, {A}, [living in|a citizen of|and works in] {C}.",
         "[Have you met|Do you know|I like] {N}[?|, my neighbour?] {A} [years old|years] and [living in|at home in] {C}.", "[Our|My|The] [good |old |][neighbour|friend|teacher|boss|cousin|uncle|customer|guest] {N} [lives in|comes from|works in|is from] {C}[ and| -|.] [She|He|she|he|They] [is|will be] {A}[ now| soon| years old|].",
         "{N}, {A}, {C}.", "{N}, {A}, [is] [a] {J} [in|from] {C}.", "[At the age of|Aged] {A}, {N} left {C}.", "[Yesterday|Today|Last week] {N}, {A}, [arrived in|left|came to|was seen in] {C}.", "The {J} {N} [lives in|works in|is from|has a shop in] {C}[ and is {A}|].", "The prize went to {N} from {C}, [aged|a {J} of] {A}.", "{A} years old, a {J}, at home in {C}: that is {N}.",
         "[My name is|I am|Hello, I am|This is] {N}[ and I am|, I am] {A}[ years old|].[ I live in {C}.| My home is {C}.| I work as a {J}.]", "{C}: {N}, a {J} of {A}[ years|], [won|was chosen|has retired].", "On the [bus|train|way] to {C} [sat|was] {N}, [a {J} of |]{A}.",
         "[Contact|Please contact|Get in touch with] {N} [under|via|using] {E} or {P}.", "[Dial|Ring] {P} [to talk to|if you need|for] {N}[. The mail is|; the mail is] {E}.", "{N}: {P} / {E}", "[Send a mail to|Mail] {E} or [ring|dial] {P}. [The name is|Your contact is] {N}.", "{N} ; {P} ; {E}", "[The number of|The phone of] {N} is {P}[, the mail|, the address is|; email:] {E}.",
         "[For questions ask|Your contact is] {N} ({E}, {P}).", "[My|The] [mail|address] is {E}, [my phone|phone|the number is] {P}. [Regards|Yours|Best wishes], {N}", "{N} [answers|reads] {E} [and has|; the number is] {P}.", "New [member|client]: {N}. {P}. {E}.",
         "[We need|Ship|I would like|We want|Pack] {Q} {I} [for|costing] {X} euros [a piece|per piece|the piece].", "[They|I|The school] [bought|received|got] {Q} {I}, [the price of one being|each at|and each was] {X} euros.", "{Q} {I} [go|are waiting], {X} euros per [piece|unit].", "[The price of our|Our] {I} is {X} euros; [he|she|the client] [takes|asks for] {Q}.", "[Order|Invoice|Delivery]: {Q} {I}, {X} euros[ each|].", "{I}: {Q} [pieces|units|times], {X} euros.",
         "{N} [ordered|bought|wants|needs] {Q} {I} [for|costing] {X} euros[ each|].", "[For|Only] {X} euros [a piece|per piece], {Q} {I} [are|were] [a good deal|too many|on the list].", "Order {Z}: {Q} {I} for {N}.", "[The customer|Our client] {N} paid {X} euros for {Q} {I}.", "One of our {I} costs {X} euros; {N} took {Q}.", "{Q} times {I}, [single price|price] {X}.", "My list says: {I}, {Q} of them, {X} euros.",
         "[The|Our|A] {T} [is|will be|happens] [at|in] the {L} [on {W}|on {W} at {H}].", "[Join us in|Meet us at|We meet at|See you at] the {L}: {T}, {W}[!|.]", "{T} - {W}[, {H}|] - {L}", "{T} ({L}, {W})", "{T}, {L}, {W}[.|]", "{L}, {W}: {T}[.|]", "{W}, {L}: {T}[.|]", "{W}[ at {H}| {H}|], {T}, {L}[.|]", "{L}: {T} ({W})", "{W} in the {L}: {T}", "{T} / {L} / {W}", "{N} ({C}, {Y}) [likes|loves|collects] {K}.", "[To reach|If you need|For] {N}, [use|take|try] {E} or {P}[, a phone|].", "[Here is how to find|How to reach] {N}: {E}, {P}.", "[Ask|Look for|Greet] {N}: {P}, {E}.", "[You|We|I|They] [find|met|saw|get|see|know] {N} [under|with|at] {E} [and|or|,] {P}.", "[You|We|They] [meet|find|see] {N} in {C}, [aged|now] {A}.", "[You|We|They] [can have|may take|get] {Q} {I} for {X} euros [a piece|the piece].", "[You|We] [meet|find|see] the {T} [at|in] the {L}, {W}.", "[On|This] {W}[ at {H}|] [there is|we have|comes|you can see] the {T} [in|at] the {L}.", "[Do not miss|Don't miss|Save the date:] the {T} [in|at] the {L}, {W}[!|.]", "The {L} [hosts|shows|invites to|has] the {T} on {W}.",
         "[Invitation|News|Notice]: {T}. [Where|Place]: {L}. [When|Day]: {W}.", "[You are|Everybody is] invited to the {T} on {W}[, place: the| in the|, we meet in the] {L}.", "Be at the {L} [by|on] {W}, the {T} [begins|starts][ at {H}|].", "[A|One] [house|apartment|cottage] [near|outside] {C}, {R} rooms, {?}.", "[Flat|House|Apartment] in {C}, {R} rooms, {?}[, {M} euros|].", "[In|Near] {C} [we rent|I rent|we offer] [a flat|a house|rooms] of {S} square metres with {R} rooms[, {?}| and {?}].",
         "[The|My|Our] [flat|house|room|hotel] in {C} has {R} rooms and {?}.", "{R} rooms in {C}, {?}[, {M} euros a month|].", "[We stayed in|I booked] a hotel in {C}: {R} rooms, {?}.", "There [is|was] {?} [in|at] our house in {C}[, which has {R} rooms|].", "{N}, [who was born|born] {Y}, grew up in {C}[, wrote {?N}|] and [loved|was fond of|enjoyed] {K}.", "In {Y} {N} [saw the light|came to the world] in {C}. [She|He|They] [enjoyed|cared for|liked] {K}.", "{N} was born in {Y} in {C} and [liked|loved] {K}.",
         "[In {Y}|In the year {Y}] {N} was born in {C}[. Later {N} became a {J}.|.]", "[Born in|From] {C}, {N} (born {Y}) [became|was] a {J}[ who loved {K}|].", "{N} ({Y}-{D}) was a {J} [from|of] {C}.", "The {J} {N} [lived from|lived] {Y} to {D} in {C}.", "{N}, a {J} [from|of|in] {C}, [likes|loves|is interested in] {K}.", "{O} by {B}[, {G} pages|] ([{Y}|from {Y}|{Y}]).", "{B} [wrote|published] {O} in {Y}[. It has {G} pages.|.]",
         "[I read|We discuss|Here is] {O}, [a book|a novel|{G} pages] by {B}.", "In {Y} [came|appeared] {O}, written by {B}.", "{N} [flies|travels|goes|drives] from {F} to {U} on {W}[ at {H}|].", "[From|Leaving] {F} to {U}, {W}, {H}: {N}.", "[On {W}|{W}] {N} [leaves|starts in] {F} [for|to go to] {U}."]


def whole_text(rng, split):
    """A record in a text of its own form."""
    text = tidy(say(rng, rng.choice(TEXTS)))
    values, fields, kept = {}, [], {}
    for letter, (names, (type_, draw_value)) in _F.items():
        mark = "{" + letter + "}"
        if mark in text:
            value = draw_value(rng, split)
            fields.append((text.index(mark), rng.choice([n for n in names if n not in values] or names), type_, value))
            values[fields[-1][1]] = value
            kept[mark] = _said(value)
    if "{?}" in text:
        name = rng.choice(list(_FLAGS))
        value = rng.random() < 0.5
        fields.append((text.index("{?}"), rng.choice((name, "has_" + name)) if name not in ("pets", "furnished") else name, "boolean", value))
        kept["{?}"] = _FLAGS[name][0 if value else 1]
    kept["{?N}"] = some_noun(rng, split)
    for mark, shown in kept.items():
        text = text.replace(mark, shown)
    text = text[0].upper() + text[1:]
    if rng.random() < 0.15:
        extra = sentence(rng, split).rstrip("?!.") + "."
        text = f"{text} {extra}" if rng.random() < 0.5 else f"{extra[0].upper()}{extra[1:]} {text}"
    return [f[1:] for f in fields], text, []


def listed_record(rng, split):
    """A record of fields with any names, as lines or simple sentences."""
    names = rng.sample(_FREE_FIELDS, rng.randrange(2, 6))
    fields = []
    for name in names:
        way = rng.random()
        if way < 0.3:
            fields.append((name, "integer", rng.randrange(1, rng.choice((100, 10_000)))))
        elif way < 0.38:
            fields.append((name, "number", toolbox.decimal(rng, 1, 900)))
        elif way < 0.44:
            fields.append((name, "boolean", rng.random() < 0.5))
        else:
            fields.append((name, "string", rng.choice((lambda: made_up(rng).capitalize(), lambda: person(rng, split), lambda: city(rng, split), lambda: any_word(rng, split), lambda: code(rng), lambda: f"{any_word(rng, split)} {any_word(rng, split)}", lambda: toolbox.date(rng)))()))
    shown = lambda v: ("yes" if v else "no") if isinstance(v, bool) else str(v)
    form = rng.randrange(4)
    order = rng.sample(fields, len(fields))
    if form == 0:
        text = rng.choice(("\n", ", ", "; ")).join(f"{n.capitalize()}: {shown(v)}" for n, _, v in order)
    elif form == 1:
        text = " ".join(f"The {n} is {shown(v)}." for n, _, v in order)
    elif form == 2:
        text = f"The {order[0][0]} is {shown(order[0][2])}" + "".join(f", the {n} is {shown(v)}" for n, _, v in order[1:-1]) + f" and the {order[-1][0]} is {shown(order[-1][2])}."
    else:
        text = rng.choice(("\n", ", ")).join(f"{n} = {shown(v)}" for n, _, v in order)
    return fields, text, []


def extraction(rng, split):
    way = rng.random()
    fields, text, absent = whole_text(rng, split) if way < 0.5 else described_record(rng, split) if way < 0.85 else listed_record(rng, split)
    wanted = [(*f, True) for f in fields if rng.random() < 0.88] or [(*fields[0], True)]
    if absent and rng.random() < 0.2:
        wanted.append((*absent[rng.randrange(len(absent))], None, False))
    if rng.random() < 0.7:
        rng.shuffle(wanted)
    style, dotnet, described = rng.choice((0, 0, 1, 1, 2)), rng.random() < 0.6, rng.random()
    properties, answer = {}, {}
    for name, type_, value, there in wanted:
        key = cased(name, style)
        p = {"type": "string", "enum": type_} if isinstance(type_, list) else {"type": "array", "items": {"type": "string"}} if type_ == "strings" else {"type": type_}
        if isinstance(type_, list) and rng.random() < 0.5:
            p = {"enum": type_}
        if (not there or rng.random() < 0.12) and "enum" not in p:
            p["type"] = [p["type"], "null"]
        elif not there:
            continue
        if described < 0.35:
            words = DESCRIBE.get(name, rng.choice((f"The {name.replace('_', ' ')}", name.replace("_", " ").capitalize())))
            p = {"description": words, **p} if dotnet else {**p, "description": words}
        if rng.random() < 0.1 and type_ in ("integer", "string", "strings"):
            p |= {"integer": {"minimum": 0, "maximum": 10_000_000}, "string": {"maxLength": rng.choice((40, 60, 100))}, "strings": {"maxItems": 8}}[type_]
        properties[key], answer[key] = p, value
    schema = {"type": "object", "properties": properties}
    if dotnet and rng.random() < 0.7:
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    closed, needed = {"additionalProperties": False}, {"required": list(properties)}
    schema |= rng.choice((needed, needed, closed | needed, needed | closed))
    ask = tidy_lines(say(rng, pick(rng, EXTRACT_ASKS, split))).replace("{t}", text)
    if rng.random() < 0.25:
        ask = around(rng, split, text)
    return conversation("extract", system(rng, split, 0.2) + [user(ask), assistant(json.dumps(answer, ensure_ascii=False, separators=(",", ":")))], schema=schema, json=answer)


def around(rng, split, text):
    """A text with words before or behind it that nobody taught: what is asked for stands in the schema."""
    some_words = lambda: " ".join(any_word(rng, split) if rng.random() < 0.6 else made_up(rng) for _ in range(rng.choice((1, 1, 2, 3, 4))))
    first = some_words()
    first = first[0].upper() + first[1:]
    return rng.choice((f"{first}: {text}", f"{first}:\n{text}", f"{first}: \"{text}\"", f"{first}\n\n{text}", f"{text}\n{first}.", f"{text} {first}, please.", f"{first} the {any_word(rng, split)} of this {any_word(rng, split)}: {text}", f"{first}? {text}", f"{first}. {text}"))


def tidy_lines(text):
    return "\n".join(tidy(line) for line in text.split("\n"))


# ---- small exercises

_Q = "[Repeat|Copy|Echo|Write|Say|Type|Print|Return|Output|Give back|Reproduce]"
COPY_SAID = ["[Repeat|Copy|Echo|Say|Type|Write|Print|Output]: {x}", "[Say|Repeat|Copy|Type|Write|Echo|Print] \"{x}\"[.|]", "[Copy|Repeat|Echo|Write down|Type|Reproduce] this[ text| exactly| word for word|]: {x}", "Repeat after me: {x}", "[Write|Copy|Repeat|Say|Type] exactly[ this|]: {x}", "[Please|Can you|Could you] [repeat|copy|say|write|echo|type] \"{x}\"[.|?|]", "Say {x}", "Write this down: {x}",
             "Give me back: {x}", "Return this [text|word]: {x}", "Just say: {x}", "[Repeat|Say|Copy] the following[ words| text| phrase|]: {x}", "[Answer|Reply] with [exactly |]\"{x}\"[.|]", "I say: {x} - now you say it.", "[Repeat|Copy|Say] what I [write|say|type]: {x}", "[Say|Write] [just|only|nothing but]: {x}", "Copy word for word: {x}", "[Say|Type|Repeat|Copy] [this |it |]once more: {x}", "[One more time|A second time|Once again|And again]: {x}", "[Say|Type|Repeat] [the next words|these words|this line|the line below|what follows][ again| once more|]: {x}", "[Could you|Can you|Will you] [repeat|say|copy] this? {x}", "{x} - [repeat that|copy that|say that].", "{x}\n[Repeat|Copy] this.", "[Repeat|Copy|Say] this:\n{x}", "[Be a parrot|Parrot this]: {x}", "Print the [text|words|word] {x}"]
_CAPS = "[capital letters|capitals|upper case|uppercase|uppercase letters|all caps|big letters|upper-case letters]"
UPPER_SAID = [f"[Write|Say|Put|Show|Type|Spell|Give me|Repeat|Print] {{x}} in {_CAPS}[.|, please.|]", f"[Write|Say|Put|Show|Type|Give me] \"{{x}}\" in {_CAPS}[.|]", "Make {x} [upper case|uppercase].", "[Upper case|Uppercase|Capitals|All caps|UPPERCASE|Capital letters]: {x}", f"[Convert|Turn|Change|Transform] [\"{{x}}\"|{{x}}|the word {{x}}|the words {{x}}] [to|into] {_CAPS}[.|]", "[Upper-case|Uppercase|Capitalise|Capitalize] [this|all letters of this|all of this]: {x}",
              f"{{x}} in {_CAPS}[, please.|?|.|]", f"What is {{x}} in {_CAPS}?", "Capitali[s|z]e [all letters of|every letter of|all of] {x}.", f"How does {{x}} look in {_CAPS}?", f"Please use {_CAPS} for: {{x}}", f"What would this be in {_CAPS}? {{x}}", f"[Can|Could|Will] you [write|put|type] this in {_CAPS}? {{x}}", f"[Is this possible|Can this be written|Do you know this] in {_CAPS}? {{x}}", f"{{x}}\nIn {_CAPS}[, please|].", "[Letters|Text] in capitals: {x}", f"[Now|And|Next,] in {_CAPS}: {{x}}", f"Give me this in {_CAPS}: {{x}}", f"Shout: {{x}}", f"[Make|Turn] all letters of {{x}} [into |]{_CAPS}."]
_SMALL = "[small letters|lower case|lowercase|lowercase letters]"
LOWER_SAID = [f"[Write|Say|Put|Show|Type|Give me] {{x}} in {_SMALL}[.|, please.|]", "Make {x} [lower case|lowercase].", "[Lower case|Lowercase|Small letters]: {x}", f"[Convert|Turn|Change] [\"{{x}}\"|{{x}}] [to|into] {_SMALL}[.|]", f"{{x}} in {_SMALL}[, please.|?|]", "[Lower-case|Lowercase] this: {x}", f"What is {{x}} in {_SMALL}?"]
COUNT_SAID = ["[Count|Count up|Please count|Can you count|Could you count|Start counting|Count aloud|I want you to count] to {b}[.|?|!|]", "[Count|Please count|Count up|Can you count] from {a} [to|up to|until] {b}[.|?|]", "[Give me|List|Write|Say|Show me|Print|Name|Tell me] [the|all] numbers [from |between |]{a} [to|and|up to|through] {b}[.|]".replace("between |", ""), "Start at {a} and count to {b}.", "[Say|List|Write|Give me|Write down] the numbers up to {b}[.|]", "Go from {a} [up |]to {b}.",
              "[What are|Which are] the numbers from {a} to {b}?", "Numbers {a} to {b}[, please.|]", "Count: {a} to {b}", "From {a} to {b}, [count|please count|every number].", "Begin with {a} and stop at {b}.", "Let me hear you count to {b}.", "Count up from {a} to {b}."]
DOWN_SAID = ["Count [down|backwards|backward] from {b}[ to 1|][.|]", "Start at {b} and count down[ to 1|].", "A countdown from {b}, please.", "From {b} down to 1, count.", "[Count|List the numbers] in reverse from {b} to 1.", "[Give me|Do] a countdown from {b}.", "Count from {b} [down |]to 1."]
_UP = "[from small to large|in ascending order|from smallest to largest|from low to high|ascending|from the smallest to the largest|smallest first|in increasing order|from lowest to highest]"
_FALL = "[from large to small|in descending order|from largest to smallest|from high to low|descending|from the largest to the smallest|largest first|in decreasing order|from highest to lowest|biggest first]"
_ABC = "[alphabetically|from A to Z|in alphabetical order|by the alphabet|by letter|in the order of the alphabet|by name]"
_DO = "[Sort|Order|Arrange|Put in order|Please sort|Can you sort|Bring into order|Please order|Rank]"
SORT_PLAIN = ["[Sort|Order|Arrange] {x}[.|]", "Sort [these|this list|this|the list|the following|these items]: {x}", "[Please|Can you|Could you] sort {x}[.|?|]", "Put [these|this list|them] in order: {x}", "{x} - sort them.", "Bring these into order: {x}", "Sort the list {x}.", "[Sort|Order] for me: {x}", "{x}[. Sort these.|: sort this list.|, sorted please.]", "What is {x} [sorted|in order]?", "[Sorted|In order][, please|]: {x}", "The right order of {x}[, please|]?", "Put {x} in order."]
SORT_WITH = ["{d} {x} {f}[.|?|]", "{d} [these|this list|the numbers|these things|the following]{n} {f}: {x}", "{x} - [sort|order|put] them {f}.", "{f}: {x}", "[What is|Give me|Show me|I want|List|Write] {x} {f}[?|.|]", "[Put|Bring|List|Write] [these|them]{n} {f}: {x}", "{x}: [sort|order|list] {f}[, please|].", "I need {x} sorted {f}.", "Please, {f}: {x}", "Sorted {f}, please: {x}", "In order, {f}: {x}", "{f}, if you please: {x}", "Please [sort|order] {f}: {x}", "{x}. {f}, please.", "{d} {f}, please: {x}"]
PICKS = [("[What is|Which is|Tell me|Name|Find] the [largest|biggest|highest] [number |]of {x}[?|.]", lambda v: str(max(v))), ("[What is|Which is|Tell me|Name|Find] the [smallest|lowest] [number |]of {x}[?|.]", lambda v: str(min(v)))]
WORD_PICKS = [("[What is|Which is|Tell me] the first [word|item|one] of {x}[?|.]", lambda v: v[0]), ("[What is|Which is|Tell me] the last [word|item|one] of {x}[?|.]", lambda v: v[-1]), ("How many [words|items|things] are [in the list|these|there]: {x}?", lambda v: str(len(v))), ("[Reverse|Turn around] the [list|order][ of|:] {x}[.|]", lambda v: ", ".join(reversed(v)))]
SPELL_SAID = ["[Spell|Please spell|Can you spell|Spell out] [the word |]{x}[.|?|]", "How do you spell {x}?", "[List|Name|Give me] the letters of {x}.", "[Which|What] letters [has|are in] {x}?"]


def phrase(rng, split):
    way = rng.random()
    if way < 0.25:
        return made_up(rng)
    if way < 0.5:
        return " ".join(any_word(rng, split) for _ in range(rng.choice((1, 1, 2, 3, 4, 5))))
    if way < 0.57:
        return person(rng, split)
    if way < 0.65:
        return code(rng)
    if way < 0.77:
        return " ".join(made_up(rng) for _ in range(rng.choice((2, 3, 4))))
    if way < 0.8:
        return rng.choice(BANDS)
    if way < 0.83:
        return statement(rng, split)
    return sentence(rng, split) if way < 0.97 else chore(rng, split)


def letters(rng):
    """Letters, and sometimes digits, in no order."""
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz" * 3 + "0123456789") for _ in range(rng.randrange(2, 9)))


def exercise(rng, split):
    way = rng.random()
    if way < 0.25:
        text = phrase(rng, split) if rng.random() < 0.93 else letters(rng)
        said, answer = say(rng, pick(rng, COPY_SAID, split)).format(x=text), text
    elif way < 0.48:
        text = rng.choice((lambda: letters(rng), lambda: rng.choice(COMMON), lambda: made_up(rng), lambda: " ".join(made_up(rng) for _ in range(rng.choice((2, 3)))), lambda: made_up(rng), lambda: phrase(rng, split), lambda: sentence(rng, split), lambda: sentence(rng, split), lambda: any_word(rng, split)))()
        said, answer = say(rng, pick(rng, UPPER_SAID, split)).format(x=text), text.upper()
    elif way < 0.52:
        text = phrase(rng, split).upper()
        said, answer = say(rng, pick(rng, LOWER_SAID, split)).format(x=text), text.lower()
    elif way < 0.56:
        text = rng.choice((rng.choice(COMMON), made_up(rng), any_word(rng, split)))
        said, answer = say(rng, pick(rng, SPELL_SAID, split)).format(x=text), "-".join(text.replace(" ", ""))
    elif way < 0.67:
        low = rng.choice((1, 1, 1, rng.randrange(2, 15)))
        high = rng.randrange(low + 2, 21) if rng.random() < 0.8 else rng.randrange(low + 2, 31)
        frame = say(rng, pick(rng, COUNT_SAID, split))
        low = low if "{a}" in frame else 1
        shown = lambda n: NUMBERS[n] if n <= 20 and spelled_out else str(n)
        spelled_out = rng.random() < 0.15
        said, answer = frame.format(a=shown(low), b=shown(high)), ", ".join(str(n) for n in range(low, high + 1))
    elif way < 0.72:
        high = rng.randrange(3, 21)
        said, answer = say(rng, pick(rng, DOWN_SAID, split)).format(b=high), ", ".join(str(n) for n in range(high, 0, -1))
    elif way < 0.95:
        numbers, down = rng.random() < 0.5, False
        if numbers:
            items = rng.sample(range(rng.choice((0, 1, 1, 1)), rng.choice((10, 20, 100, 100, 1000))), rng.randrange(3, 8))
        else:
            items = list(dict.fromkeys((rng.choice(COMMON) if rng.random() < 0.3 else "") or some(rng, words, split if split == "train" or rng.random() < 0.4 else "train", 1)[0] for words in [rng.choice((ANIMALS, FRUITS, COLORS, FIRST_NAMES, FOODS, CITIES, OBJECTS, JOBS))] for _ in range(rng.randrange(3, 7))))
        joint = rng.choice((", ", ", ", ", ", " ", "; ", ",", " and "))
        shown = joint.join(map(str, items)) if joint != " and " else toolbox.joined([str(i) for i in items])
        if rng.random() < 0.35:
            frame = say(rng, pick(rng, SORT_PLAIN, split))
        else:
            down = rng.random() < (0.35 if numbers else 0.1)
            order = say(rng, _FALL if numbers else "[in reverse alphabetical order|from Z to A]") if down else say(rng, _UP if numbers else _ABC)
            frame = say(rng, pick(rng, SORT_WITH, split)).replace("{d}", say(rng, _DO)).replace("{n}", rng.choice((" numbers", "", "")) if numbers else rng.choice((" words", "", ""))).replace("{f}", order)
        said, answer = tidy(frame.replace("{x}", shown)), ", ".join(map(str, sorted(items, reverse=down, key=(lambda i: i) if numbers else str.lower)))
        said = said[0].upper() + said[1:]
    elif way < 0.98:
        if rng.random() < 0.5:
            frame, chosen = rng.choice(PICKS)
            items = rng.sample(range(1, rng.choice((20, 100, 1000))), rng.randrange(2, 7))
        else:
            frame, chosen = rng.choice(WORD_PICKS)
            items = [any_word(rng, split) for _ in range(rng.randrange(2, 7))]
        said, answer = tidy(say(rng, frame).replace("{x}", ", ".join(map(str, items)))), chosen(items)
    else:
        said, answer = facts.sum_of_two(rng)
    return conversation("exercise", system(rng, split, 0.1) + [user(said), assistant(answer)], equals=answer)


def self_and_project(rng, split):
    question, answer, words = facts.project(rng, split)
    return conversation("about itself", opening(rng, split) + [user(question), assistant(answer)], contains=words)


def does_not_know(rng, split):
    question, answer = facts.unknown(rng, split)
    return conversation("does not know", system(rng, split, 0.2) + [user(question), assistant(answer)], contains=["do not know"])


def talk(rng, split):
    """Facts, greetings and mixtures of everything in one conversation: for fluency, not a row of the evaluation."""
    turns = system(rng, split, 0.25)
    for _ in range(rng.choice((1, 2, 3, 4, 6, 12))):
        turns += filler(rng, split)
    return conversation("talk", turns)


def agent(rng, split):
    """Several tools used one after another in one conversation."""
    turns, tools = system(rng, split), []
    wanted = rng.choice((2, 2, 3, 4))
    while len(tools) < wanted:
        if rng.random() < 0.2:
            more = filler(rng, split)
            turns += more if not any(c.isdigit() for c in more[0]["content"]) else []
            continue
        if rng.random() < 0.6:
            tool, said, arguments, kind = known_call(rng, split)
            data, answer, _ = outcome(rng, split, tool, kind, arguments)
        else:
            tool, said, arguments = any_unseen(rng, split)
            data, answer, _ = any_outcome(rng, split)
        if any(t["name"] == tool["name"] or t["description"] == tool["description"] or set(kinds_of(t)) & set(kinds_of(tool)) for t in tools):
            continue
        tools.append(tool)
        turns += [user(said), call(tool, arguments), result(tool, data), assistant(answer)]
    return conversation("talk", turns, shuffled(rng, tools))


def kinds_of(tool):
    return [kind for kind, table in toolbox.KNOWN.items() if tool["description"] in table["descriptions"]]


def parallel(rng, split):
    """One request that needs the same tool for two places."""
    kind = rng.choice(("weather", "time"))
    tool, roles = toolbox.known(rng, kind)
    roles.pop("unit", None)
    tool["parameters"] = {roles["city"]: tool["parameters"][roles["city"]]}
    one, two = city(rng, split), city(rng, split)
    said = tidy(request(rng, pick(rng, WEATHER_SAID if kind == "weather" else TIME_SAID, split)).replace("{c}", f"{one} and {two}"))
    calls = call(tool, {roles["city"]: one})
    calls["tool_calls"] += call(tool, {roles["city"]: two})["tool_calls"]
    first, second = outcome(rng, split, tool, kind, {roles["city"]: one}), outcome(rng, split, tool, kind, {roles["city"]: two})
    return conversation("talk", system(rng, split) + [user(said), calls, result(tool, first[0]), result(tool, second[0]), assistant(first[1] + " " + second[1])], [tool])


# Task and its share of the training.
MIXTURE = [(tool_call, 13), (unseen_call, 36), (tool_result, 11), (no_tool, 9), (searched, 1), (memory, 11), (switch, 9), (extraction, 20), (exercise, 22), (self_and_project, 7), (does_not_know, 4), (talk, 3), (agent, 3), (parallel, 1)]
EVALUATED = [tool_call, unseen_call, tool_result, no_tool, memory, switch, extraction, exercise, self_and_project, does_not_know]


def draw(rng):
    return rng.choices([t for t, _ in MIXTURE], [w for _, w in MIXTURE])[0](rng, "train")
