using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>A text and a JSON schema, given as response format; every field must be right.</summary>
internal static class Extraction
{
    private static readonly JsonElement Person = Schema("""{"type":"object","properties":{"name":{"type":"string"},"age":{"type":"integer"},"city":{"type":"string"}},"required":["name","age","city"],"additionalProperties":false}""");
    private static readonly JsonElement Order = Schema("""{"type":"object","properties":{"item":{"type":"string","description":"What was bought"},"quantity":{"type":"integer"},"price":{"type":"number","description":"In euros"}},"required":["item","quantity","price"],"additionalProperties":false}""");
    private static readonly JsonElement Event = Schema("""{"type":"object","properties":{"title":{"type":"string"},"day":{"enum":["Monday","Tuesday","Wednesday","Thursday","Friday","Saturday","Sunday"]},"place":{"type":"string"}},"required":["title","day","place"],"additionalProperties":false}""");
    private static readonly JsonElement Contact = Schema("""{"type":"object","properties":{"name":{"type":"string"},"email":{"type":"string"},"phone":{"type":"string"}},"required":["name","email","phone"],"additionalProperties":false}""");
    private static readonly JsonElement Flat = Schema("""{"type":"object","properties":{"rooms":{"type":"integer"},"city":{"type":"string"},"balcony":{"type":"boolean"}},"required":["rooms","city","balcony"],"additionalProperties":false}""");

    // As AIJsonUtilities writes the record of samples/StructuredOutput.
    private static readonly JsonElement Biography = Schema("""
        {"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"name":{"description":"First and last name","type":"string","maxLength":60},"born":{"description":"Year of birth","type":"integer","minimum":0,"maximum":2100},
        "city":{"description":"City of birth","type":["string","null"],"maxLength":40},"likes":{"description":"What the person likes","type":"array","items":{"type":"string"},"maxItems":4}},"required":["name","born","city","likes"]}
        """);

    private static readonly (string Name, int Age, string City)[] People =
    [
        ("Marta Nowak", 34, "Gdansk"), ("Oskar Lind", 61, "Uppsala"), ("Leila Haddad", 27, "Tunis"), ("Tomas Rivera", 45, "Lima"), ("Greta Vogel", 19, "Bremen"), ("Paolo Conti", 52, "Parma"), ("Nadia Petrova", 38, "Varna"), ("Hugo Laurent", 70, "Nantes"),
    ];

    private static readonly string[] PersonTexts =
    [
        "{0} is {1} years old and comes from {2}.", "In {2} I met {0}, who is {1}.", "The winner was {0} ({1}) of {2}.", "Our new colleague {0} has moved to {2}. She or he turned {1} last week.",
    ];

    private static readonly (string Item, int Quantity, double Price)[] Orders = [("lamps", 3, 24.5), ("notebooks", 12, 2.2), ("chairs", 4, 79), ("kettles", 2, 31.9), ("blankets", 6, 18), ("shovels", 5, 14.75)];
    private static readonly string[] OrderTexts = ["Please send us {1} {0} at {2} euros each.", "We ordered {1} {0}. One costs {2} euros.", "{1} {0} were sold for {2} euros apiece."];
    private static readonly (string Title, string Day, string Place)[] Events = [("choir rehearsal", "Tuesday", "town hall"), ("flea market", "Saturday", "harbour square"), ("book club", "Thursday", "library"), ("yoga class", "Monday", "sports centre"), ("film night", "Friday", "old barn"), ("garden walk", "Sunday", "castle park")];
    private static readonly string[] EventTexts = ["The {0} takes place on {1} in the {2}.", "Come to the {2} on {1} for the {0}!", "{1}: {0}, {2}."];

    private static readonly (string Name, string Email, string Phone)[] Contacts = [("Irma Holt", "irma@holt.example", "555-0143"), ("Ravi Menon", "ravi.menon@mail.example", "555-0199"), ("Elsa Bergman", "elsa@studio.example", "555-0172"), ("Juan Ortega", "jortega@farm.example", "555-0105")];
    private static readonly string[] ContactTexts = ["You reach {0} by mail at {1} or by phone at {2}.", "{0}, {1}, tel. {2}", "Call {2} and ask for {0}, or write to {1}."];
    private static readonly (int Rooms, string City, bool Balcony)[] Flats = [(3, "Graz", true), (2, "Aarhus", false), (5, "Bilbao", true), (4, "Brno", false)];

    private static readonly string[] Asks = ["{0}", "Take the data out of this text: {0}", "Read this and fill in the fields.\n\n{0}", "{0}\n\nWhat does the text say?"];

    public static IEnumerable<Case> Cases()
    {
        foreach (var at in Combinations.Of(24, People.Length, PersonTexts.Length, Asks.Length))
        {
            var p = People[at[0]];
            yield return Of(at[2], "person", Person, Text(PersonTexts[at[1]], p.Name, p.Age, p.City), ("name", Check.Is(p.Name)), ("age", Check.Is(p.Age)), ("city", Check.Is(p.City)));
        }

        foreach (var at in Combinations.Of(18, Orders.Length, OrderTexts.Length, Asks.Length))
        {
            var o = Orders[at[0]];
            yield return Of(at[2], "order", Order, Text(OrderTexts[at[1]], o.Item, o.Quantity, o.Price), ("item", Check.Either(Check.Is(o.Item), Check.Is(o.Item[..^1]))), ("quantity", Check.Is(o.Quantity)), ("price", Check.Is(o.Price)));
        }

        foreach (var at in Combinations.Of(18, Events.Length, EventTexts.Length, Asks.Length))
        {
            var e = Events[at[0]];
            yield return Of(at[2], "event", Event, Text(EventTexts[at[1]], e.Title, e.Day, e.Place), ("title", Check.Is(e.Title)), ("day", Check.Is(e.Day)), ("place", Check.Either(Check.Is(e.Place), Check.Is("the " + e.Place))));
        }

        foreach (var at in Combinations.Of(12, Contacts.Length, ContactTexts.Length, Asks.Length))
        {
            var c = Contacts[at[0]];
            yield return Of(at[2], "contact", Contact, Text(ContactTexts[at[1]], c.Name, c.Email, c.Phone), ("name", Check.Is(c.Name)), ("email", Check.Is(c.Email)), ("phone", Check.Is(c.Phone)));
        }

        foreach (var at in Combinations.Of(8, Flats.Length, 2, Asks.Length))
        {
            var f = Flats[at[0]];
            var text = at[1] == 0 ? Text("For rent in {1}: a flat with {0} rooms and {2} balcony.", f.Rooms, f.City, f.Balcony ? "a" : "no") : Text("{1}, {0} rooms, {2} balcony", f.Rooms, f.City, f.Balcony ? "with" : "without");
            yield return Of(at[2], "true or false", Flat, text, ("rooms", Check.Is(f.Rooms)), ("city", Check.Is(f.City)), ("balcony", Check.Is(f.Balcony)));
        }

        yield return Life("Ada Lovelace, born in London in 1815, wrote the first program. She liked mathematics, music and horses.", "Ada Lovelace", 1815, "London", "mathematics", "music", "horses");
        yield return Life("Fridtjof Amdal was born in Stavanger in 1902. He built boats and liked skiing and maps.", "Fridtjof Amdal", 1902, "Stavanger", "skiing", "maps");
        yield return Life("Born in Pisa in 1950, Carla Rossi became a baker. She likes bread, opera and old cars.", "Carla Rossi", 1950, "Pisa", "bread", "opera", "old cars");
        yield return Life("Joao Teles (Coimbra, 1977) paints ships. He likes tea.", "Joao Teles", 1977, "Coimbra", "tea");
    }

    private static Case Life(string text, string name, int born, string city, params string[] likes) => Of("biography", Biography, $"Who is this text about?\n\n{text}",
        ("name", Check.Is(name)), ("born", Check.Is(born)), ("city", Check.Is(city)),
        ("likes", value => value is JsonElement { ValueKind: JsonValueKind.Array } list && list.EnumerateArray().Select(e => e.GetString()).SequenceEqual(likes, StringComparer.OrdinalIgnoreCase)));

    private static Case Of(int ask, string kind, JsonElement schema, string text, params (string Name, Func<object?, bool> Fits)[] fields) => Of(kind, schema, Text(Asks[ask], text), fields);

    private static Case Of(string kind, JsonElement schema, string ask, params (string Name, Func<object?, bool> Fits)[] fields) => new("extract", kind, async dialogue =>
    {
        dialogue.Format = ChatResponseFormat.ForJsonSchema(schema, kind.Replace(' ', '_'));
        var reply = await dialogue.AskAsync(ask);
        try
        {
            using var json = JsonDocument.Parse(reply.Text);
            if (json.RootElement.ValueKind != JsonValueKind.Object || json.RootElement.EnumerateObject().Count() != fields.Length)
            {
                return "other fields";
            }

            foreach (var (name, fits) in fields)
            {
                if (!json.RootElement.TryGetProperty(name, out var value) || !fits(value))
                {
                    return $"field {name}";
                }
            }

            return null;
        }
        catch (JsonException)
        {
            return "no JSON";
        }
    });

    private static string Text(string format, params object[] values) => string.Format(CultureInfo.InvariantCulture, format, values);

    private static JsonElement Schema(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
