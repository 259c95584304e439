"""Who buys and what taste is made of: kinds of retailers, styles of offers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthetic.taxonomy import SUB_CATEGORIES

BACKGROUND_NEED = 0.12
"""What every kind of retailer needs of a sub-category that is not named for it."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A kind of retailer: its share among buyers, shop names, needs by sub-category name."""

    kind: str
    share: float
    shops: tuple[str, ...]
    needs: dict[str, float]


TRADES: tuple[Trade, ...] = (
    Trade("electronics shop", 0.13, ("Electronics", "Audio & Video", "Digital"),
          {"Phones": 6, "Audio": 5, "Computing": 6, "Cameras": 4, "Lighting": 2,
           "Cables and Power": 6, "Kitchen Appliances": 1.5}),
    Trade("grocer", 0.17, ("Grocery", "Fine Foods", "Corner Shop"),
          {"Beverages": 6, "Snacks and Sweets": 6, "Chilled and Dairy": 6, "Pantry": 6,
           "Household Cleaning": 3, "Personal Care": 2, "Pet Supplies": 1.5}),
    Trade("apparel boutique", 0.13, ("Boutique", "Fashion", "Clothing"),
          {"Womenswear": 6, "Menswear": 5, "Kidswear": 3, "Footwear": 4, "Sportswear": 3,
           "Bags and Accessories": 5, "Packaging": 1}),
    Trade("pharmacy", 0.10, ("Pharmacy", "Chemist", "Apothecary"),
          {"Health and First Aid": 8, "Baby Care": 5, "Personal Care": 6,
           "Household Cleaning": 1, "Snacks and Sweets": 0.5}),
    Trade("hardware store", 0.11, ("Hardware", "Building Supplies", "Tools & Garden"),
          {"Tools": 7, "Garden": 5, "Lighting": 4, "Workwear and Safety": 5,
           "Cables and Power": 2, "Household Cleaning": 1}),
    Trade("general store", 0.11, ("General Store", "Trading", "Bazaar"),
          {"Beverages": 2, "Snacks and Sweets": 2, "Household Cleaning": 2, "Stationery": 2,
           "Personal Care": 2, "Toys and Games": 2, "Cables and Power": 2, "Kidswear": 1.5,
           "Pet Supplies": 2, "Home Textiles": 1.5}),
    Trade("furniture house", 0.07, ("Furniture", "Interiors", "Living"),
          {"Furniture": 8, "Home Textiles": 6, "Lighting": 4, "Kitchen Appliances": 2,
           "Garden": 1}),
    Trade("hospitality", 0.08, ("Hotel", "Café", "Catering"),
          {"Beverages": 5, "Chilled and Dairy": 4, "Pantry": 5, "Kitchen Appliances": 3,
           "Home Textiles": 3, "Household Cleaning": 3, "Furniture": 1}),
    Trade("office supplier", 0.05, ("Office Supplies", "Stationers", "School Supplies"),
          {"Stationery": 8, "Computing": 3, "Packaging": 4, "Cables and Power": 2,
           "Furniture": 1.5}),
    Trade("toy and gift shop", 0.05, ("Toys", "Gifts", "Hobby"),
          {"Toys and Games": 8, "Bags and Accessories": 2, "Stationery": 2, "Kidswear": 2,
           "Packaging": 2, "Baby Care": 1.5}),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """A direction of taste that runs through every category, with the words that show it."""

    name: str
    adjectives: tuple[str, ...]
    sentence: str


STYLES: tuple[Style, ...] = (
    Style("green", ("Organic", "Recycled", "Natural"),
          "Made with recycled and natural materials."),
    Style("premium", ("Premium", "Reserve", "Signature"),
          "A premium line for demanding customers."),
    Style("value", ("Everyday", "Budget", "Basic"), "Good value for quick turnover."),
    Style("professional", ("Professional", "Heavy-Duty", "Industrial"),
          "Built for daily professional use."),
    Style("family", ("Family", "Kids", "Junior"), "A favourite with families and children."),
    Style("classic", ("Classic", "Heritage", "Traditional"),
          "A classic design that has sold for decades."),
    Style("modern", ("Modern", "Smart", "Minimal"), "A clean, modern look for city shops."),
    Style("outdoor", ("Outdoor", "Travel", "Adventure"), "Made for travel and the outdoors."),
)  # fmt: skip


def needs_by_trade() -> npt.NDArray[np.float64]:
    """Needs (trades, sub-categories), each row a distribution."""
    table = np.full((len(TRADES), len(SUB_CATEGORIES)), BACKGROUND_NEED)
    column = {sub.name: index for index, sub in enumerate(SUB_CATEGORIES)}
    for row, trade in enumerate(TRADES):
        for name, weight in trade.needs.items():
            table[row, column[name]] = weight
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def season_by_month() -> npt.NDArray[np.float64]:
    """Demand factor (12 months from January, sub-categories); every column has mean 1."""
    months = np.arange(1, 13)[:, None]
    peak = np.array([sub.peak for sub in SUB_CATEGORIES])[None, :]
    swing = np.array([sub.swing for sub in SUB_CATEGORIES])[None, :]
    curve = np.exp(swing * np.cos(2 * np.pi * (months - peak) / 12))
    return np.asarray(curve / curve.mean(axis=0, keepdims=True))
