using System.Globalization;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Weather, time, calculator, search and reminders, among one to four others.</summary>
internal static class Tools
{
    private static readonly string[] Cities =
    [
        "Bergen", "Quito", "Krakow", "Perth", "Porto", "Dresden", "Izmir", "Tampere", "Ghent", "Halifax", "Leeds", "Turin", "Cusco", "Hobart", "Split", "Cork", "Basel", "Malmo", "Dakar", "Sendai",
    ];

    private static readonly string[] WeatherRequests =
    [
        "Is it raining in {0}?", "Do I need a coat in {0} today?", "How warm is {0} at the moment?", "Tell me the weather for {0}, please.", "{0}: what's the weather doing there?", "I fly to {0} tonight. How is the weather?",
    ];

    private static readonly string[] UnitRequests = ["How many degrees {1} is it in {0}?", "Give me the temperature of {0} in {1}.", "{0} weather, in {1} please."];

    private static readonly string[] TimeRequests =
    [
        "What's the time in {0}?", "How late is it in {0} right now?", "Could you check the clock in {0} for me?", "I want to call someone in {0}. What hour is it there?", "Current time, {0}?",
    ];

    private static readonly (string Text, Func<int, int, double> Value)[] Sums =
    [
        ("How much is {0} plus {1}?", (a, b) => a + b), ("Work out {0} times {1} for me.", (a, b) => a * b), ("{0} minus {1} makes what?", (a, b) => a - b), ("Please compute {0} * {1}.", (a, b) => a * b),
        ("I have {0} and get {1} more. Add them.", (a, b) => a + b), ("What do I get if I divide {0} by {1}?", (a, b) => (double)a / b), ("{0} + {1} = ?", (a, b) => a + b), ("Take {1} away from {0}.", (a, b) => a - b),
    ];

    private static readonly string[] SearchRequests = ["Find something on the web about {0}.", "Can you search for {0}?", "Look {0} up on the internet.", "I'd like to read about {0}. Do a search, please.", "Google {0} for me."];
    private static readonly string[] Topics = ["solar sails", "wooden bridges", "the history of chess", "electric ferries", "mountain goats", "cheap bicycles", "coral reefs", "old lighthouses", "bread without yeast", "volcanoes in Iceland"];
    private static readonly string[] ReminderRequests = ["Remind me to {0} at {1}.", "At {1} I must {0}; set a reminder.", "Don't let me forget to {0} at {1}.", "Could you remind me at {1} to {0}?"];
    private static readonly string[] Chores = ["feed the rabbits", "call my sister", "take the bread out", "wipe the windows", "post the letters", "lock the shed", "pick up Nadia", "charge the torch"];
    private static readonly string[] Hours = ["6 pm", "7:30", "18:45", "noon", "9 am", "20:15", "4 pm", "11:20"];

    /// <summary>Each of the five in two spellings; those of one spelling are declared together.</summary>
    private static readonly AIFunctionDeclaration[][] Spellings =
    [
        [
            Functions.Declare("get_weather", "Current weather of a city.", "city:string:The city's name", "unit:celsius|fahrenheit?:Unit of the temperature"),
            Functions.Declare("get_time", "Current time in a city.", "city:string:The city's name"),
            Functions.Declare("calculate", "Computes an arithmetic expression.", "expression:string:For example 3 * (4 + 5)"),
            Functions.Declare("web_search", "Searches the web.", "query:string:What to search for"),
            Functions.Declare("set_reminder", "Sets a reminder.", "text:string:What to be reminded of", "time:string:When"),
        ],
        [
            Functions.Declare("weather", "Says what the weather is like somewhere", "location:string:Name of the place", "unit:celsius|fahrenheit?:Degrees"),
            Functions.Declare("current_time", "Tells what time it is in a place", "location:string:Name of the place"),
            Functions.Declare("calculator", "Evaluates a formula", "expression:string:The formula"),
            Functions.Declare("search", "Looks something up on the internet", "query:string:Search words"),
            Functions.Declare("add_reminder", "Reminds the user of something later", "text:string:What it is about", "time:string:Time of day"),
        ],
    ];

    public static IEnumerable<Case> Cases()
    {
        var i = 0;
        foreach (var at in Combinations.Of(30, Cities.Length, WeatherRequests.Length))
        {
            var city = Cities[at[0]];
            yield return Of(++i, 0, "weather", Text(WeatherRequests[at[1]], city), (Place(i), Check.Is(city)));
        }

        foreach (var at in Combinations.Of(12, Cities.Length, UnitRequests.Length, 2))
        {
            var (city, unit) = (Cities[at[0]], at[2] == 0 ? "celsius" : "fahrenheit");
            yield return Of(++i, 0, "weather in a unit", Text(UnitRequests[at[1]], city, i % 4 < 2 ? unit : char.ToUpperInvariant(unit[0]) + unit[1..]), (Place(i), Check.Is(city)), ("unit", Check.Is(unit)));
        }

        foreach (var at in Combinations.Of(25, Cities.Length, TimeRequests.Length))
        {
            var city = Cities[at[0]];
            yield return Of(++i, 1, "time", Text(TimeRequests[at[1]], city), (Place(i), Check.Is(city)));
        }

        foreach (var at in Combinations.Of(40, Sums.Length, 480, 29))
        {
            var (a, b) = (17 + at[1], 3 + at[2]);
            var (text, value) = Sums[at[0]];
            yield return Of(++i, 2, "calculator", Text(text, a.ToString(CultureInfo.InvariantCulture), b.ToString(CultureInfo.InvariantCulture)), ("expression", Check.Computes(value(a, b))));
        }

        foreach (var at in Combinations.Of(25, Topics.Length, SearchRequests.Length))
        {
            var topic = Topics[at[0]];
            yield return Of(++i, 3, "search", Text(SearchRequests[at[1]], topic), ("query", Check.Holds(topic)));
        }

        foreach (var at in Combinations.Of(32, Chores.Length, Hours.Length, ReminderRequests.Length))
        {
            var (chore, hour) = (Chores[at[0]], Hours[at[1]]);
            yield return Of(++i, 4, "reminder", Text(ReminderRequests[at[2]], chore, hour), ("text", Check.Holds(chore.Replace("my ", "", StringComparison.Ordinal).Split(' '))), ("time", Check.Holds(hour)));
        }
    }

    /// <summary>The tools of a spelling.</summary>
    public static AIFunctionDeclaration[] Declared(int spelling) => Spellings[spelling];

    private static Case Of(int i, int tool, string kind, string request, params (string Name, Func<object?, bool> Fits)[] arguments) => new("tools", kind, async dialogue =>
    {
        var spelling = Spellings[i % 2];
        dialogue.Tools = Functions.Among(spelling[tool], spelling, i);
        return Check.Calls(await dialogue.AskAsync(request), spelling[tool].Name, arguments);
    });

    private static string Place(int i) => i % 2 == 0 ? "city" : "location";

    private static string Text(string format, params object[] values) => string.Format(CultureInfo.InvariantCulture, format, values);
}
