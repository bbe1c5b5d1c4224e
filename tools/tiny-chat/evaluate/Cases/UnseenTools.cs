using System.Text.Json;
using Microsoft.Extensions.AI;

namespace KvPrefetch.Tools.Evaluate;

/// <summary>Functions that the training never had: only their descriptions say what they are for.</summary>
internal static class UnseenTools
{
    private sealed record Request(string Text, params (string Name, Func<object?, bool> Fits)[] Arguments);

    private static readonly (AIFunctionDeclaration Function, Request[] Requests)[] All =
    [
        (Functions.Declare("brew_coffee", "Makes coffee in the kitchen.", "kind:string:Kind of coffee", "cups:integer:How many cups"),
            [
                new("Make me 3 cups of espresso.", ("kind", Check.Is("espresso")), ("cups", Check.Is(3))),
                new("I'd love some mocha, 2 cups.", ("kind", Check.Is("mocha")), ("cups", Check.Is(2))),
                new("Coffee, please: 5 cups of latte.", ("kind", Check.Is("latte")), ("cups", Check.Is(5))),
            ]),
        (Functions.Declare("move_blinds", "Opens or closes the blinds of a room.", "room:string:Which room", "action:open|close:What to do"),
            [
                new("Open the blinds in the study.", ("room", Check.Holds("study")), ("action", Check.Is("open"))),
                new("Please close the blinds of the attic.", ("room", Check.Holds("attic")), ("action", Check.Is("close"))),
                new("It's too bright in the nursery. Close the blinds there.", ("room", Check.Holds("nursery")), ("action", Check.Is("close"))),
            ]),
        (Functions.Declare("charge_car", "Charges the electric car.", "percent:integer:Charge to this many percent"),
            [
                new("Charge the car to 80 percent.", ("percent", Check.Is(80))),
                new("I need the car at 65 percent tomorrow.", ("percent", Check.Is(65))),
                new("Load the car's battery up to 90 %.", ("percent", Check.Is(90))),
            ]),
        (Functions.Declare("track_parcel", "Tells where a parcel is.", "number:string:Number of the parcel"),
            [
                new("Where is my parcel 84413?", ("number", Either("84413"))),
                new("Has package KX20 arrived yet?", ("number", Either("KX20"))),
                new("Follow parcel 5561 for me.", ("number", Either("5561"))),
            ]),
        (Functions.Declare("feed_pet", "Feeds a pet.", "name:string:Name of the pet", "grams:integer:Grams of food"),
            [
                new("Give Rufus 120 grams of food.", ("name", Check.Is("Rufus")), ("grams", Check.Is(120))),
                new("Luna is hungry, feed her 45 grams.", ("name", Check.Is("Luna")), ("grams", Check.Is(45))),
                new("Feed Pepper, 200 grams.", ("name", Check.Is("Pepper")), ("grams", Check.Is(200))),
            ]),
        (Functions.Declare("tune_radio", "Switches the radio to a station.", "station:string:Name of the station"),
            [
                new("Put the radio on Jazz FM.", ("station", Check.Is("Jazz FM"))),
                new("I want to hear Radio Nova.", ("station", Check.Holds("Nova"))),
                new("Switch the radio to Harbour Sound.", ("station", Check.Is("Harbour Sound"))),
            ]),
        (Functions.Declare("moon_phase", "Tells the phase of the moon on a day.", "date:string:The day"),
            [
                new("What does the moon look like on 12 May?", ("date", Check.Holds("12", "May"))),
                new("Is it full moon on 3 October?", ("date", Check.Holds("3", "October"))),
                new("Moon on 21 June, please.", ("date", Check.Holds("21", "June"))),
            ]),
        (Functions.Declare("start_washing", "Starts the washing machine.", "program:cotton|wool|quick:Program", "temperature:integer:Degrees"),
            [
                new("Wash the wool at 30 degrees.", ("program", Check.Is("wool")), ("temperature", Check.Is(30))),
                new("Start a quick wash, 40 degrees.", ("program", Check.Is("quick")), ("temperature", Check.Is(40))),
                new("Run the cotton program at 60 degrees.", ("program", Check.Is("cotton")), ("temperature", Check.Is(60))),
            ]),
        (Functions.Declare("rate_film", "Gives stars to a film.", "title:string:Title of the film", "stars:integer:1 to 5"),
            [
                new("I give Metropolis 5 stars.", ("title", Check.Is("Metropolis")), ("stars", Check.Is(5))),
                new("Rate Casablanca with 4 stars.", ("title", Check.Is("Casablanca")), ("stars", Check.Is(4))),
                new("The film Stalker deserves 3 stars.", ("title", Check.Is("Stalker")), ("stars", Check.Is(3))),
            ]),
        (Functions.Declare("water_garden", "Waters a part of the garden.", "bed:string:Which part", "minutes:integer:How long"),
            [
                new("Water the roses for 15 minutes.", ("bed", Check.Holds("roses")), ("minutes", Check.Is(15))),
                new("The lawn needs water, 20 minutes.", ("bed", Check.Holds("lawn")), ("minutes", Check.Is(20))),
                new("Please water the herbs for 8 minutes.", ("bed", Check.Holds("herbs")), ("minutes", Check.Is(8))),
            ]),
        (Functions.Declare("lock_door", "Locks a door of the house.", "door:string:Which door"),
            [
                new("Lock the garage door.", ("door", Check.Holds("garage"))),
                new("Is the cellar open? Lock it.", ("door", Check.Holds("cellar"))),
                new("Please lock the front door.", ("door", Check.Holds("front"))),
            ]),
        (Functions.Declare("print_file", "Prints a file.", "file:string:Name of the file", "copies:integer:Number of copies"),
            [
                new("Print report.pdf, 4 copies.", ("file", Check.Is("report.pdf")), ("copies", Check.Is(4))),
                new("I need 2 copies of menu.txt on paper.", ("file", Check.Is("menu.txt")), ("copies", Check.Is(2))),
                new("Print 10 copies of flyer.png.", ("file", Check.Is("flyer.png")), ("copies", Check.Is(10))),
            ]),
        (Functions.Declare("order_pizza", "Orders a pizza.", "topping:string:What is on it", "size:small|medium|large:Size"),
            [
                new("Order a large pizza with mushrooms.", ("topping", Check.Holds("mushrooms")), ("size", Check.Is("large"))),
                new("A small pizza with olives, please.", ("topping", Check.Holds("olives")), ("size", Check.Is("small"))),
                new("We want a medium pizza with spinach.", ("topping", Check.Holds("spinach")), ("size", Check.Is("medium"))),
            ]),
        (Functions.Declare("call_taxi", "Sends a taxi to an address.", "address:string:Where to"),
            [
                new("Send a taxi to 12 Mill Lane.", ("address", Check.Is("12 Mill Lane"))),
                new("I need a cab at 7 Castle Street.", ("address", Check.Is("7 Castle Street"))),
                new("Taxi to 31 River Road, please.", ("address", Check.Is("31 River Road"))),
            ]),
        (Functions.Declare("arm_alarm", "Switches the burglar alarm on or off.", "armed:boolean:true switches it on"),
            [
                new("Switch the burglar alarm on.", ("armed", Check.Is(expected: true))),
                new("Turn off the burglar alarm, we are home.", ("armed", Check.Is(expected: false))),
                new("Please activate the alarm against burglars.", ("armed", Check.Is(expected: true))),
            ]),
        (Functions.Declare("find_dentist", "Finds a dentist near a town.", "town:string:Name of the town"),
            [
                new("My tooth hurts. Is there a dentist in Ripon?", ("town", Check.Is("Ripon"))),
                new("Dentists near Galway?", ("town", Check.Is("Galway"))),
                new("Find me a dentist around Lund.", ("town", Check.Is("Lund"))),
            ]),
    ];

    public static IEnumerable<Case> Cases()
    {
        var functions = All.Select(a => a.Function).ToArray();
        var at = 0;
        for (var i = 0; i < All.Length; i++)
        {
            foreach (var request in All[i].Requests)
            {
                var (seed, asked) = (at++, functions[i]);

                // Alone among others that are as new, and among those that it knows.
                yield return Of(asked, Functions.Among(asked, [.. functions.Skip(i + 1), .. functions.Take(i)], seed), "among unseen", request);
                yield return Of(asked, Functions.Among(asked, Tools.Declared(seed % 2), seed + 1), "among known", request);
            }
        }
    }

    private static Case Of(AIFunctionDeclaration asked, AIFunctionDeclaration[] declared, string kind, Request request) => new("unseen-tools", kind, async dialogue =>
    {
        dialogue.Tools = declared;
        return Check.Calls(await dialogue.AskAsync(request.Text), asked.Name, request.Arguments);
    });

    private static Func<object?, bool> Either(string text) =>
        value => Check.Is(text)(value is JsonElement { ValueKind: JsonValueKind.Number } number ? number.GetRawText() : value);
}
