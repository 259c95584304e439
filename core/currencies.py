"""Money: ISO 4217 codes, and exact conversion between decimal text and int minor units."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from core.errors import InputError

_TWO_DIGITS = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
    "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
    "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
    "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
    "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWL"
)
_NO_DIGITS = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

MINOR_DIGITS: dict[str, int] = {
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_NO_DIGITS.split(), 0),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}
"""How many decimal digits the minor unit of each currency has (ISO 4217)."""


def to_minor(amount: str, currency: str) -> int:
    """Decimal text to int minor units: ``to_minor("2.55", "GBP") == 255``.

    Raises:
        InputError: when the currency is unknown, the text is no plain decimal number, or it has
            more decimals than the currency.
    """
    digits = _digits(currency)
    try:
        scaled = Decimal(amount.strip()).scaleb(digits)
    except InvalidOperation as error:
        raise InputError(f"{amount!r} is not an amount.", mend="Write it like 12.50.") from error
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise InputError(
            f"{amount!r} is not an amount in {currency}.",
            mend=f"{currency} has {digits} decimals.",
        )
    return int(scaled)


def from_minor(amount_minor: int, currency: str) -> str:
    """Int minor units to decimal text: ``from_minor(255, "GBP") == "2.55"``.

    Raises:
        InputError: when the currency is unknown.
    """
    digits = _digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):.{digits}f}"


def _digits(currency: str) -> int:
    if currency not in MINOR_DIGITS:
        raise InputError(
            f"{currency!r} is not an ISO 4217 currency.", mend="Write a code such as GBP or EUR."
        )
    return MINOR_DIGITS[currency]
