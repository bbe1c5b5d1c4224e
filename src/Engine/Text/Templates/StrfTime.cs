using System.Globalization;

namespace KvPrefetch.Engine.Text.Templates;

/// <summary>Python's <c>strftime</c> in the C locale. A field belongs to who wrote its directive.</summary>
internal static class StrfTime
{
    private static readonly string[] Days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

    private static readonly string[] Months =
        ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

    public static StringValue Format(RenderState state, StringValue format, DateTimeOffset now)
    {
        var text = format.Text;
        var result = new TextBuilder(state);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '%' || i + 1 == text.Length)
            {
                result.Append(text[i], format.At(i));
                continue;
            }

            state.Step(8);

            // glibc's flags: no padding, blanks, zeros, upper case.
            var flag = text[i + 1] is '-' or '_' or '0' or '^' or '#' ? text[++i] : '\0';
            if (++i == text.Length)
            {
                throw state.Raise("strftime_now: a directive has no letter");
            }

            result.Append(Flagged(Field(state, text[i], now), flag), format.At(i));
        }

        return result.ToValue();
    }

    private static string Flagged(string field, char flag)
    {
        switch (flag)
        {
            case '-':
                var trimmed = field.TrimStart('0', ' ');
                return trimmed.Length > 0 && char.IsAsciiDigit(field[0]) ? trimmed : field.Length > 0 && field.All(c => c == '0') ? "0" : field.TrimStart(' ');
            case '_':
                var digits = field.TrimStart('0');
                return digits.Length == 0 && field.Length > 0 ? "0".PadLeft(field.Length) : digits.PadLeft(field.Length);
            case '0':
                return field.Replace(' ', '0');
            case '^' or '#':
                return field.ToUpperInvariant();
            default:
                return field;
        }
    }

    private static string Field(RenderState state, char directive, DateTimeOffset now)
    {
        string Number(int value, int width) => value.ToString(CultureInfo.InvariantCulture).PadLeft(width, '0');
        string Blank(int value) => value.ToString(CultureInfo.InvariantCulture).PadLeft(2);
        var hour12 = now.Hour % 12 == 0 ? 12 : now.Hour % 12;
        var weekday = (int)now.DayOfWeek;
        var yearDay = now.DayOfYear;
        switch (directive)
        {
            case 'a':
                return Days[weekday][..3];
            case 'A':
                return Days[weekday];
            case 'w':
                return Number(weekday, 1);
            case 'u':
                return Number(weekday == 0 ? 7 : weekday, 1);
            case 'd':
                return Number(now.Day, 2);
            case 'e':
                return Blank(now.Day);
            case 'b' or 'h':
                return Months[now.Month - 1][..3];
            case 'B':
                return Months[now.Month - 1];
            case 'm':
                return Number(now.Month, 2);
            case 'y':
                return Number(now.Year % 100, 2);
            case 'Y':
                return Number(now.Year, 1);
            case 'C':
                return Number(now.Year / 100, 2);
            case 'G':
                return Number(ISOWeek.GetYear(now.DateTime), 1);
            case 'g':
                return Number(ISOWeek.GetYear(now.DateTime) % 100, 2);
            case 'V':
                return Number(ISOWeek.GetWeekOfYear(now.DateTime), 2);
            case 'U':
                return Number((yearDay + 6 - weekday) / 7, 2);
            case 'W':
                return Number((yearDay + 6 - ((weekday + 6) % 7)) / 7, 2);
            case 'j':
                return Number(yearDay, 3);
            case 'H':
                return Number(now.Hour, 2);
            case 'k':
                return Blank(now.Hour);
            case 'I':
                return Number(hour12, 2);
            case 'l':
                return Blank(hour12);
            case 'p':
                return now.Hour < 12 ? "AM" : "PM";
            case 'P':
                return now.Hour < 12 ? "am" : "pm";
            case 'M':
                return Number(now.Minute, 2);
            case 'S':
                return Number(now.Second, 2);
            case 'f':
                return Number((int)(now.Ticks % TimeSpan.TicksPerSecond / 10), 6);
            case 's':
                return now.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            case 'z' or 'Z':
                // Python's datetime.now() knows no time zone.
                return "";
            case 'D' or 'x':
                return $"{Number(now.Month, 2)}/{Number(now.Day, 2)}/{Number(now.Year % 100, 2)}";
            case 'F':
                return $"{Number(now.Year, 1)}-{Number(now.Month, 2)}-{Number(now.Day, 2)}";
            case 'T' or 'X':
                return $"{Number(now.Hour, 2)}:{Number(now.Minute, 2)}:{Number(now.Second, 2)}";
            case 'R':
                return $"{Number(now.Hour, 2)}:{Number(now.Minute, 2)}";
            case 'r':
                return $"{Number(hour12, 2)}:{Number(now.Minute, 2)}:{Number(now.Second, 2)} {(now.Hour < 12 ? "AM" : "PM")}";
            case 'c':
                return $"{Days[weekday][..3]} {Months[now.Month - 1][..3]} {Blank(now.Day)} {Number(now.Hour, 2)}:{Number(now.Minute, 2)}:{Number(now.Second, 2)} {Number(now.Year, 1)}";
            case 'n':
                return "\n";
            case 't':
                return "\t";
            case '%':
                return "%";
            default:
                throw state.Raise($"strftime_now: unknown directive '%{directive}'");
        }
    }
}
