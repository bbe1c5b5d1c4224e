namespace KvPrefetch.Engine.Text.Constraints.Regular;

/// <summary>A condition on the decimal digits of a number without sign and exponent, as a state that reads them one by one.</summary>
internal abstract record NumberLeaf
{
    /// <summary>Whether the number read so far meets the condition.</summary>
    public abstract bool Nullable { get; }

    /// <summary>Set where the rest does not matter any more.</summary>
    public virtual bool? Constant => null;

    /// <summary>After a digit or the point; null where that ends all hope.</summary>
    public abstract NumberLeaf? Next(char c);
}

/// <summary>Comparison with a bound.</summary>
/// <param name="Bound">What is compared with.</param>
/// <param name="Allowed">Outcomes that are allowed: 1 less, 2 equal, 4 greater.</param>
/// <param name="Digits">Digits of the whole part read so far; -1 in the fraction.</param>
/// <param name="Fraction">Digits of the fraction read so far, while they are equal.</param>
/// <param name="Order">Order so far, of as many digits: -1, 0, 1. 2, -2: settled.</param>
internal sealed record CompareLeaf(Decimal10 Bound, int Allowed, int Digits = 0, int Fraction = 0, int Order = 0) : NumberLeaf
{
    public override bool? Constant => Order is 2 or -2 ? Allows(Order) : null;

    public override bool Nullable => Allows(Outcome);

    private int Outcome
    {
        get
        {
            if (Order is 2 or -2)
            {
                return Order;
            }

            if (Digits >= 0)
            {
                var length = Bound.Whole.Length;
                if (Digits != length || Order != 0)
                {
                    return Digits < length ? -1 : Digits > length ? 1 : Order;
                }
            }

            return Bound.Fraction.Length > Fraction ? -1 : 0;
        }
    }

    public override NumberLeaf? Next(char c)
    {
        if (c == '.')
        {
            if (Digits < 0)
            {
                return null;
            }

            var order = Digits < Bound.Whole.Length ? -1 : Digits > Bound.Whole.Length ? 1 : Order;
            return order != 0 ? this with { Order = 2 * order } : this with { Digits = -1 };
        }

        if (Digits >= 0)
        {
            if (Digits >= Bound.Whole.Length)
            {
                return this with { Order = 2 };
            }

            return this with { Digits = Digits + 1, Order = Order != 0 ? Order : c.CompareTo(Bound.Whole[Digits]) switch { < 0 => -1, 0 => 0, _ => 1 } };
        }

        var mine = Fraction < Bound.Fraction.Length ? Bound.Fraction[Fraction] : '0';
        // Zeros behind the last digit of the bound change nothing.
        return c == mine ? this with { Fraction = Math.Min(Fraction + 1, Bound.Fraction.Length) } : this with { Order = c < mine ? -2 : 2 };
    }

    private bool Allows(int order) => (Allowed & (order < 0 ? 1 : order == 0 ? 2 : 4)) != 0;
}

/// <summary>A multiple of <paramref name="Unit"/> / 10^<paramref name="Scale"/>.</summary>
internal sealed record MultipleLeaf(UInt128 Unit, int Scale, UInt128 Remainder, int Fraction) : NumberLeaf
{
    public override bool Nullable
    {
        get
        {
            var rest = Remainder;
            for (var i = Math.Max(0, Fraction); i < Scale; i++)
            {
                rest = rest * 10 % Unit;
            }

            return rest == 0;
        }
    }

    public override NumberLeaf? Next(char c)
    {
        if (c == '.')
        {
            return Fraction < 0 ? this with { Fraction = 0 } : null;
        }

        if (Fraction == Scale)
        {
            return c == '0' ? this : null;
        }

        return this with { Remainder = ((Remainder * 10) + (UInt128)(c - '0')) % Unit, Fraction = Fraction < 0 ? Fraction : Fraction + 1 };
    }
}

/// <summary>A decimal number, exact: sign, digits before and after the point without needless zeros.</summary>
internal sealed record Decimal10(bool Negative, string Whole, string Fraction)
{
    private const int MaxDigits = 400;

    public bool IsZero => Whole == "0" && Fraction.Length == 0;

    public bool IsInteger => Fraction.Length == 0;

    /// <summary>Reads a JSON number; null where it has more than 400 digits written out.</summary>
    public static Decimal10? Parse(string json)
    {
        var text = json.AsSpan();
        var negative = text.StartsWith("-");
        text = negative ? text[1..] : text;
        var e = text.IndexOfAny('e', 'E');
        var exponent = 0;
        if (e >= 0)
        {
            if (!int.TryParse(text[(e + 1)..], System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out exponent) || Math.Abs((long)exponent) > MaxDigits)
            {
                return null;
            }

            text = text[..e];
        }

        var point = text.IndexOf('.');
        var whole = (point < 0 ? text : text[..point]).ToString();
        var fraction = point < 0 ? "" : text[(point + 1)..].ToString();
        if (whole.Length + fraction.Length > MaxDigits)
        {
            return null;
        }

        if (exponent > 0)
        {
            fraction = fraction.PadRight(exponent, '0');
            (whole, fraction) = (whole + fraction[..exponent], fraction[exponent..]);
        }
        else if (exponent < 0)
        {
            whole = whole.PadLeft(-exponent, '0');
            (whole, fraction) = (whole[..(whole.Length + exponent)], whole[(whole.Length + exponent)..] + fraction);
        }

        whole = whole.TrimStart('0');
        var number = new Decimal10(negative, whole.Length == 0 ? "0" : whole, fraction.TrimEnd('0'));
        return number.IsZero ? number with { Negative = false } : number;
    }
}
