using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace KvPrefetch.AI;

/// <summary>Checks <see cref="KvPrefetchOptions"/>; the code is generated from their attributes.</summary>
[OptionsValidator]
internal sealed partial class KvPrefetchOptionsValidator : IValidateOptions<KvPrefetchOptions>
{
    /// <summary>Throws <see cref="OptionsValidationException"/>, whose message names every property that is wrong.</summary>
    public static void ThrowIfInvalid(KvPrefetchOptions options)
    {
        var result = new KvPrefetchOptionsValidator().Validate(name: null, options);
        if (result.Failed)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(KvPrefetchOptions), result.Failures);
        }
    }
}

/// <summary>A range whose message says the value, the limits and what it means; the generated validator puts the property in front.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class BoundsAttribute(long minimum, long maximum, string meaning) : ValidationAttribute
{
    public long Minimum { get; } = minimum;
    public long Maximum { get; } = maximum;
    public string Meaning { get; } = meaning;

    protected override ValidationResult? IsValid(object? value, ValidationContext validationContext)
    {
        var number = value is int small ? small : value is long large ? large : throw new InvalidOperationException("Bounds is for int and long.");
        return number >= Minimum && number <= Maximum
            ? ValidationResult.Success
            : new ValidationResult(FormattableString.Invariant($"{number} is out of range; set it to {Minimum} .. {Maximum} ({Meaning})."), [validationContext.MemberName ?? ""]);
    }
}
