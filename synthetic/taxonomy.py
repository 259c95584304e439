"""Five categories with six sub-categories each: prices, seasons, and the words for them."""

from __future__ import annotations

from dataclasses import dataclass

ROOTS = ("Electronics", "FMCG", "Apparel", "Durables", "Essentials")


@dataclass(frozen=True, slots=True)
class SubCategory:
    """One leaf of the category tree.

    Args:
        root: index into ROOTS.
        name: shown name, unique among all leaves.
        price: median unit price in EUR.
        spread: standard deviation of the log price.
        pack: median quantity of an order line.
        reorder: how likely a try to reorder an offer succeeds, 0 to 1.
        peak: calendar month of the highest demand, 1 to 12.
        swing: strength of the season; demand varies as exp(swing * cos), 0 is none.
        nouns: what its offers are.
        variants: sizes, colours or packs of one such thing.
    """

    root: int
    name: str
    price: float
    spread: float
    pack: int
    reorder: float
    peak: int
    swing: float
    nouns: tuple[str, ...]
    variants: tuple[str, ...]

    @property
    def id(self) -> str:
        """The category's id: the root's and its own name, in lower case with hyphens."""
        own = self.name.lower().replace("&", "and").replace("'", "").replace(" ", "-")
        return f"{ROOTS[self.root].lower()}.{own}"


def _sub(root: int, name: str, figures: str, nouns: str, variants: str) -> SubCategory:
    price, spread, pack, reorder, peak, swing = (float(part) for part in figures.split())
    return SubCategory(
        root, name, price, spread, int(pack), reorder, int(peak), swing,
        tuple(nouns.split(", ")), tuple(variants.split(", ")),
    )  # fmt: skip


# The figures: price EUR, spread, pack, reorder, peak month, swing.
SUB_CATEGORIES: tuple[SubCategory, ...] = (
    _sub(0, "Phones", "180 .7 3 .35 11 .5",
         "Smartphone, Phone Case, Screen Protector, Feature Phone, Phone Stand, Stylus",
         "64 GB, 128 GB, Black, Blue"),
    _sub(0, "Audio", "45 .7 4 .3 12 .8",
         "Headphones, Bluetooth Speaker, Earbuds, Soundbar, Microphone, Record Player",
         "Wireless, Wired, White, Graphite"),
    _sub(0, "Computing", "220 .8 2 .3 9 .5",
         "Laptop, Keyboard, Monitor, Mouse, Docking Station, Solid State Drive",
         "15 inch, 27 inch, 1 TB, Compact"),
    _sub(0, "Cameras", "260 .8 2 .15 6 .6",
         "Action Camera, Tripod, Lens, Memory Card, Camera Bag, Instant Camera",
         "4K, Kit, Mini, Black"),
    _sub(0, "Lighting", "18 .6 12 .5 11 .7",
         "LED Bulb, Desk Lamp, Light Strip, Ceiling Light, Torch, Smart Plug",
         "Warm White, Cool White, 2-pack, Dimmable"),
    _sub(0, "Cables and Power", "9 .5 20 .6 12 .2",
         "USB Cable, Power Bank, Wall Charger, Extension Lead, HDMI Cable, Battery Pack",
         "1 m, 2 m, 10-pack, Fast Charge"),
    _sub(1, "Beverages", "1.4 .5 96 .95 7 .9",
         "Sparkling Water, Orange Juice, Iced Tea, Cola, Apple Cider, Energy Drink",
         "0.33 l, 0.5 l, 1 l, 24-pack"),
    _sub(1, "Snacks and Sweets", "1.9 .5 60 .9 12 .6",
         "Potato Crisps, Chocolate Bar, Oat Biscuits, Fruit Gums, Salted Nuts, Popcorn",
         "100 g, 200 g, Sharing Bag, Box of 24"),
    _sub(1, "Chilled and Dairy", "2.6 .4 48 .95 5 .2",
         "Yoghurt, Cheddar, Butter, Oat Milk, Cream Cheese, Fresh Pasta",
         "250 g, 500 g, 1 l, Tray of 12"),
    _sub(1, "Pantry", "2.2 .5 48 .9 10 .3",
         "Basmati Rice, Olive Oil, Tomato Passata, Ground Coffee, Wheat Flour, Lentils",
         "500 g, 1 kg, 750 ml, Catering Size"),
    _sub(1, "Household Cleaning", "3.4 .4 36 .85 3 .4",
         "Dish Soap, Laundry Detergent, Floor Cleaner, Sponges, Bin Bags, Glass Spray",
         "500 ml, 2 l, 10-pack, Refill"),
    _sub(1, "Personal Care", "4.2 .6 30 .8 6 .2",
         "Shampoo, Toothpaste, Hand Cream, Shower Gel, Deodorant, Razor Blades",
         "75 ml, 250 ml, Travel Size, 6-pack"),
    _sub(2, "Womenswear", "32 .6 8 .3 4 .6",
         "Blouse, Summer Dress, Cardigan, Trousers, Skirt, Wool Coat",
         "S, M, L, Navy"),
    _sub(2, "Menswear", "34 .6 8 .3 10 .5",
         "Oxford Shirt, Chinos, Polo Shirt, Knit Jumper, Blazer, Jeans",
         "M, L, XL, Charcoal"),
    _sub(2, "Kidswear", "16 .5 12 .45 8 .7",
         "Romper, Hooded Top, Leggings, Rain Jacket, Pyjamas, School Shirt",
         "Age 2, Age 4, Age 8, Striped"),
    _sub(2, "Footwear", "48 .6 6 .3 9 .5",
         "Trainers, Ankle Boots, Sandals, Loafers, Slippers, Wellington Boots",
         "38, 41, 44, Tan"),
    _sub(2, "Sportswear", "28 .5 8 .35 1 .6",
         "Running Tights, Training Top, Yoga Leggings, Track Jacket, Swim Shorts, Sports Socks",
         "S, M, L, 3-pack"),
    _sub(2, "Bags and Accessories", "24 .7 8 .35 12 .6",
         "Tote Bag, Leather Belt, Scarf, Backpack, Wallet, Sun Hat",
         "Small, Large, Brown, Print"),
    _sub(3, "Furniture", "160 .8 2 .1 2 .4",
         "Bar Stool, Bookcase, Dining Table, Armchair, Desk, Shelf Unit",
         "Oak, Walnut, White, Flat Pack"),
    _sub(3, "Kitchen Appliances", "70 .8 3 .15 11 .6",
         "Kettle, Blender, Toaster, Coffee Machine, Slow Cooker, Hand Mixer",
         "1.7 l, 800 W, Steel, Red"),
    _sub(3, "Tools", "38 .8 5 .35 4 .5",
         "Cordless Drill, Screwdriver Set, Hammer, Spirit Level, Circular Saw, Tape Measure",
         "18 V, 32-piece, 5 m, Case"),
    _sub(3, "Garden", "26 .7 8 .35 5 1.3",
         "Garden Hose, Plant Pot, Secateurs, Grass Seed, Parasol, Watering Can",
         "20 m, Terracotta, 10 l, Green"),
    _sub(3, "Home Textiles", "22 .6 10 .4 10 .5",
         "Duvet Cover, Bath Towel, Cushion, Curtain, Fleece Throw, Table Runner",
         "Single, Double, Linen, Grey"),
    _sub(3, "Toys and Games", "17 .6 10 .35 11 1.2",
         "Board Game, Building Blocks, Plush Bear, Jigsaw Puzzle, Toy Train, Paint Set",
         "Age 3+, Age 6+, 500-piece, Travel"),
    _sub(4, "Health and First Aid", "6 .6 24 .75 1 .7",
         "Plasters, Pain Relief Gel, Vitamin Tablets, Thermometer, Cough Syrup, Face Masks",
         "20-pack, 60 tablets, 100 ml, Family Box"),
    _sub(4, "Baby Care", "8 .5 24 .8 6 .1",
         "Nappies, Baby Wipes, Feeding Bottle, Baby Lotion, Dummy, Formula Milk",
         "Size 2, Size 4, 240 ml, Value Box"),
    _sub(4, "Stationery", "5 .6 30 .6 8 1.0",
         "Notebook, Ballpoint Pens, Copy Paper, Ring Binder, Marker Set, Envelopes",
         "A4, A5, 10-pack, Ruled"),
    _sub(4, "Pet Supplies", "9 .6 20 .8 12 .2",
         "Dry Dog Food, Cat Litter, Chew Toy, Dog Lead, Bird Seed, Cat Treats",
         "400 g, 5 kg, Medium, Salmon"),
    _sub(4, "Packaging", "12 .5 40 .75 11 .5",
         "Cardboard Boxes, Bubble Wrap, Paper Bags, Packing Tape, Labels, Gift Wrap",
         "25-pack, 50 m, Small, Brown"),
    _sub(4, "Workwear and Safety", "21 .6 12 .5 9 .4",
         "Safety Gloves, Hi-Vis Vest, Safety Boots, Hard Hat, Apron, Ear Defenders",
         "M, L, XL, 5-pack"),
)  # fmt: skip
