using System.Globalization;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>A result stands in the conversation; the answer must say what it says.</summary>
internal static class Results
{
    private static readonly string[] Cities = ["Oviedo", "Lucerne", "Tartu", "Sofia", "Genoa", "Utrecht", "Cebu", "Darwin"];
    private static readonly string[] Skies = ["light rain", "sunny", "cloudy", "snow", "fog", "thunderstorm"];

    public static IEnumerable<Case> Cases()
    {
        foreach (var at in Combinations.Of(24, Cities.Length, Skies.Length, 37, 3))
        {
            var (city, sky, degrees) = (Cities[at[0]], Skies[at[1]], at[2] - 6);
            var number = Number(degrees);
            yield return at[3] switch
            {
                0 => Of("weather as text", "get_weather", $"How is it outside in {city}?", "city", city, $"{city}: {number} °C, {sky}", number, sky),
                1 => Of("weather as object", "get_weather", $"{city} today, warm or cold?", "city", city, new Dictionary<string, object?> { ["temperature"] = degrees, ["conditions"] = sky }, number, sky),
                _ => Of("weather in short", "get_weather", $"Weather report for {city}, please.", "city", city, $"{number} degrees and {sky}", number, sky),
            };
        }

        for (var i = 0; i < 12; i++)
        {
            var (city, time) = (Cities[i * 3 % Cities.Length], string.Create(CultureInfo.InvariantCulture, $"{(i * 5 % 24):00}:{(i * 17 % 60):00}"));
            yield return Of("time", "get_time", $"What does the clock say in {city}?", "city", city, time, time);
        }

        for (var i = 0; i < 16; i++)
        {
            var (a, b) = (21 + (i * 13), 4 + (i * 7 % 40));
            var (sum, text) = (Number(a * b), string.Create(CultureInfo.InvariantCulture, $"{a} * {b}"));
            yield return Of("calculator", "calculate", $"Multiply {Number(a)} and {Number(b)}.", "expression", text, i % 2 == 0 ? sum : new Dictionary<string, object?> { ["result"] = a * b }, sum);
        }

        string[][] finds = [["tallest tree of Wales", "The tallest tree of Wales is a Douglas fir at Lake Vyrnwy.", "fir"], ["old mill in Ebeltoft", "The old mill was built in 1854.", "1854"], ["founder of Veltico", "Veltico was founded by Irma Holt.", "Irma Holt"], ["length of the Ems", "The Ems is 371 km long.", "371"]];
        foreach (var find in finds)
        {
            yield return Of("search", "web_search", $"Search for the {find[0]}.", "query", find[0], find[1], find[2]);
            yield return Of("search", "web_search", $"What can you find about the {find[0]}?", "query", find[0], find[1], find[2]);
        }

        string[][] reminders = [["buy stamps", "5 pm"], ["call the bank", "10:30"], ["turn the compost", "8 am"], ["fetch the keys", "16:00"]];
        foreach (var reminder in reminders)
        {
            yield return Of("reminder", "set_reminder", $"Remind me to {reminder[0]} at {reminder[1]}.", "text", reminder[0], "ok", reminder[0].Split(' ')[^1]);
        }

        (string Question, string Function, string Argument, string Value, object Result, string[] Words)[] unseen =
        [
            ("Where is parcel 7781?", "track_parcel", "number", "7781", "in transit, arrives on Thursday", ["Thursday"]),
            ("How many bikes are at the Mill station?", "bikes_left", "station", "Mill", "6 bikes", ["6"]),
            ("What is the level of Loch Awe?", "water_level", "lake", "Loch Awe", new Dictionary<string, object?> { ["meters"] = 36 }, ["36"]),
            ("What does the ferry to Brodick cost?", "ferry_price", "harbour", "Brodick", "18 pounds", ["18"]),
            ("Which song is on Radio Nova?", "now_playing", "station", "Radio Nova", "Blue Train by John Coltrane", ["Blue Train"]),
            ("Who lives in room 14?", "room_owner", "room", "14", new Dictionary<string, object?> { ["name"] = "Selma Brandt" }, ["Selma"]),
            ("Is the cellar door locked?", "door_state", "door", "cellar", "locked", ["locked"]),
            ("How full is the car's battery?", "battery", "of", "car", "72 %", ["72"]),
        ];
        foreach (var (question, function, argument, value, result, words) in unseen)
        {
            yield return Of("unseen tools", function, question, argument, value, result, words);
        }
    }

    private static Case Of(string kind, string function, string question, string argument, string value, object result, params string[] words) => new("results", kind, async dialogue =>
    {
        dialogue.Tools = [Functions.Declare(function, "Answers: " + function.Replace('_', ' '), argument + ":string:" + argument)];
        return Check.Says(await dialogue.AfterCallAsync(question, function, new Dictionary<string, object?>(StringComparer.Ordinal) { [argument] = value }, result), words);
    });

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
