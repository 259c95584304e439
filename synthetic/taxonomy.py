"""Five categories with six sub-categories each: products, prices, seasons."""

from __future__ import annotations

from dataclasses import dataclass

ROOTS = ("Electronics", "FMCG", "Apparel", "Durables", "Essentials")


@dataclass(frozen=True, slots=True)
class Product:
    """A thing that many vendors offer: its name, median price in EUR and its variants."""

    name: str
    price: float
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SubCategory:
    """One leaf of the category tree.

    Args:
        root: index into ROOTS.
        name: shown name, unique among all leaves.
        spread: standard deviation of the log price of one product.
        pack: median quantity of an order line.
        reorder: how likely a try to reorder an offer succeeds, 0 to 1.
        peak: calendar month of the highest demand, 1 to 12.
        swing: strength of the season; demand varies as exp(swing * cos), 0 is none.
        products: what its offers are, PRODUCTS_EACH of them.
    """

    root: int
    name: str
    spread: float
    pack: int
    reorder: float
    peak: int
    swing: float
    products: tuple[Product, ...]

    @property
    def id(self) -> str:
        """The category's id: the root's and its own name, in lower case with hyphens."""
        own = self.name.lower().replace(" ", "-")
        return f"{ROOTS[self.root].lower()}.{own}"


PRODUCTS_EACH = 6


def _sub(root: int, name: str, figures: str, products: str) -> SubCategory:
    spread, pack, reorder, peak, swing = (float(part) for part in figures.split())
    return SubCategory(
        root, name, spread, int(pack), reorder, int(peak), swing,
        tuple(_product(text) for text in products.split("; ")),
    )  # fmt: skip


def _product(text: str) -> Product:
    """Read "name=price: variant/variant"."""
    name, _, rest = text.partition("=")
    price, _, variants = rest.partition(": ")
    return Product(name, float(price), tuple(variants.split("/")))


# The figures: spread, pack, reorder, peak month, swing.
SUB_CATEGORIES: tuple[SubCategory, ...] = (
    _sub(0, "Phones", ".35 4 .35 11 .5",
         "Smartphone=280: 64 GB/128 GB/256 GB; Phone Case=9: Black/Clear/Blue; "
         "Screen Protector=6: Glass/Matt/2-pack; Feature Phone=35: Black/Red; "
         "Phone Stand=12: Desk/Car; Phone Grip=5: Ring/Strap"),
    _sub(0, "Audio", ".4 4 .3 12 .8",
         "Headphones=55: Wireless/Wired; Bluetooth Speaker=42: Mini/Party Size; "
         "Earbuds=38: White/Graphite; Soundbar=120: 2.1/5.1; Microphone=48: USB/Clip-on; "
         "Record Player=95: Walnut/Black"),
    _sub(0, "Computing", ".4 2 .3 9 .5",
         "Laptop=560: 13 inch/15 inch; Keyboard=34: Wired/Wireless; "
         "Monitor=170: 24 inch/27 inch; Computer Mouse=18: Wired/Wireless; "
         "Docking Station=85: USB-C/Dual Display; Solid State Drive=75: 500 GB/1 TB"),
    _sub(0, "Cameras", ".45 2 .15 6 .6",
         "Action Camera=190: 4K/Kit; Tripod=42: 130 cm/Table Size; "
         "Camera Lens=310: 35 mm/50 mm; Memory Card=16: 64 GB/128 GB; "
         "Camera Bag=38: Shoulder/Sling; Instant Camera=75: White/Mint"),
    _sub(0, "Lighting", ".4 12 .5 11 .7",
         "LED Bulb=4: E14/E27/3-pack; Desk Lamp=26: Black/Brass; Light Strip=14: 2 m/5 m; "
         "Ceiling Light=39: 30 cm/50 cm; Torch=11: Pocket Size/1000 lm; "
         "Smart Plug=13: Single/2-pack"),
    _sub(0, "Cables and Power", ".4 20 .6 12 .2",
         "USB Cable=4: 1 m/2 m; Power Bank=19: 10 Ah/20 Ah; Wall Charger=11: 20 W/65 W; "
         "Extension Lead=8: 3 m/5 m; HDMI Cable=6: 1 m/3 m; Battery Pack=5: AA/AAA"),
    _sub(1, "Beverages", ".3 96 .95 7 .9",
         "Sparkling Water=0.5: 0.5 l/1 l; Orange Juice=1.6: 0.33 l/1 l; "
         "Iced Tea=1.1: Peach/Lemon; Cola=0.9: 0.33 l/0.5 l; Apple Cider=1.8: 0.33 l/0.5 l; "
         "Energy Drink=1.2: 0.25 l/0.5 l"),
    _sub(1, "Snacks and Sweets", ".3 60 .9 12 .6",
         "Potato Crisps=1.3: Salted/Paprika; Chocolate Bar=1.1: Milk/Dark; "
         "Oat Biscuits=1.7: 200 g/400 g; Fruit Gums=1: 100 g/200 g; "
         "Salted Nuts=2.2: Cashew/Mixed; Popcorn=1.5: Sweet/Salted"),
    _sub(1, "Chilled and Dairy", ".3 48 .95 5 .2",
         "Yoghurt=0.8: Natural/Strawberry; Cheddar=3.1: 200 g/400 g; "
         "Butter=2.4: Salted/Unsalted; Oat Milk=1.6: 1 l/Barista; "
         "Cream Cheese=1.7: 150 g/300 g; Fresh Pasta=2.1: Tagliatelle/Ravioli"),
    _sub(1, "Pantry", ".35 48 .9 10 .3",
         "Basmati Rice=2.3: 1 kg/5 kg; Olive Oil=7.5: 500 ml/1 l; "
         "Tomato Passata=1.1: 500 g/700 g; Ground Coffee=5.2: 250 g/500 g; "
         "Wheat Flour=0.9: 1 kg/10 kg; Red Lentils=1.9: 500 g/1 kg"),
    _sub(1, "Household Cleaning", ".3 36 .85 3 .4",
         "Dish Soap=1.8: 500 ml/Refill; Laundry Detergent=6.5: 20 washes/40 washes; "
         "Floor Cleaner=3.1: Lemon/Pine; Sponges=1.4: 5-pack/10-pack; "
         "Bin Bags=2.2: 35 l/60 l; Glass Spray=2.4: 500 ml/Refill"),
    _sub(1, "Personal Care", ".4 30 .8 6 .2",
         "Shampoo=3.8: 250 ml/400 ml; Toothpaste=2.2: Mint/Whitening; "
         "Hand Cream=3.4: 75 ml/100 ml; Shower Gel=2.6: 250 ml/500 ml; "
         "Deodorant=3.1: Stick/Spray; Razor Blades=9.5: 4-pack/8-pack"),
    _sub(2, "Womenswear", ".45 8 .3 4 .6",
         "Blouse=28: S/M/L; Summer Dress=36: S/M/L; Cardigan=34: S/M/L; "
         "Linen Trousers=38: S/M/L; Midi Skirt=30: S/M/L; Wool Coat=95: S/M/L"),
    _sub(2, "Menswear", ".45 8 .3 10 .5",
         "Oxford Shirt=32: M/L/XL; Chinos=36: 32/34/36; Polo Shirt=22: M/L/XL; "
         "Knit Jumper=42: M/L/XL; Blazer=88: 48/50/52; Jeans=40: 32/34/36"),
    _sub(2, "Kidswear", ".4 12 .45 8 .7",
         "Romper=13: 6 months/12 months; Hooded Top=17: Age 4/Age 8; Leggings=8: Age 4/Age 6; "
         "Rain Jacket=26: Age 4/Age 8; Pyjamas=15: Age 2/Age 6; School Shirt=11: Age 6/Age 10"),
    _sub(2, "Footwear", ".45 6 .3 9 .5",
         "Trainers=52: 38/41/44; Ankle Boots=68: 37/39/42; Sandals=30: 38/40/43; "
         "Loafers=58: 40/42/44; Slippers=15: 38/42; Wellington Boots=27: 37/41"),
    _sub(2, "Sportswear", ".4 8 .35 1 .6",
         "Running Tights=30: S/M/L; Training Top=22: S/M/L; Yoga Leggings=34: S/M/L; "
         "Track Jacket=40: M/L/XL; Swim Shorts=20: M/L; Sports Socks=8: 3-pack/6-pack"),
    _sub(2, "Bags and Accessories", ".5 8 .35 12 .6",
         "Tote Bag=16: Canvas/Print; Leather Belt=24: Brown/Black; Scarf=19: Wool/Cotton; "
         "Backpack=42: 18 l/25 l; Wallet=27: Brown/Black; Sun Hat=18: Straw/Cotton"),
    _sub(3, "Furniture", ".45 2 .1 2 .4",
         "Bar Stool=65: Oak/Black; Bookcase=120: Oak/White; Dining Table=290: 140 cm/180 cm; "
         "Armchair=210: Grey/Green; Writing Desk=150: Walnut/White; "
         "Shelf Unit=70: 3 shelves/5 shelves"),
    _sub(3, "Kitchen Appliances", ".45 3 .15 11 .6",
         "Kettle=32: 1 l/1.7 l; Blender=48: 600 W/1000 W; Toaster=35: 2 slots/4 slots; "
         "Coffee Machine=160: Filter/Espresso; Slow Cooker=46: 3.5 l/6 l; "
         "Hand Mixer=29: 300 W/500 W"),
    _sub(3, "Tools", ".45 5 .35 4 .5",
         "Cordless Drill=95: 12 V/18 V; Screwdriver Set=22: 8-piece/32-piece; "
         "Claw Hammer=14: 450 g/600 g; Spirit Level=17: 60 cm/120 cm; "
         "Circular Saw=120: 1200 W/18 V; Tape Measure=7: 5 m/8 m"),
    _sub(3, "Garden", ".45 8 .35 5 1.3",
         "Garden Hose=24: 15 m/30 m; Plant Pot=9: 20 cm/40 cm; Secateurs=17: Bypass/Anvil; "
         "Grass Seed=12: 1 kg/5 kg; Parasol=58: 2.5 m/3 m; Watering Can=11: 5 l/10 l"),
    _sub(3, "Home Textiles", ".45 10 .4 10 .5",
         "Duvet Cover=34: Single/Double; Bath Towel=12: 70 x 140 cm/100 x 150 cm; "
         "Cushion=14: 40 cm/50 cm; Curtain=29: Linen/Blackout; Fleece Throw=18: Grey/Rust; "
         "Table Runner=13: Linen/Cotton"),
    _sub(3, "Toys and Games", ".4 10 .35 11 1.2",
         "Board Game=24: 2 players/4 players; Building Blocks=29: 250 pieces/500 pieces; "
         "Plush Bear=15: 25 cm/40 cm; Jigsaw Puzzle=12: 500 pieces/1000 pieces; "
         "Toy Train=32: Starter Set/Track Set; Paint Set=11: 12 colours/24 colours"),
    _sub(4, "Health and First Aid", ".4 24 .75 1 .7",
         "Plasters=2.8: 20-pack/40-pack; Pain Relief Gel=7.5: 50 g/100 g; "
         "Vitamin Tablets=8: 60 tablets/120 tablets; Thermometer=13: Digital/Infrared; "
         "Cough Syrup=6.8: 100 ml/200 ml; Face Masks=5.5: 10-pack/50-pack"),
    _sub(4, "Baby Care", ".35 24 .8 6 .1",
         "Nappies=11: Size 2/Size 4; Baby Wipes=2.1: 64-pack/4 x 64; "
         "Feeding Bottle=6.5: 150 ml/240 ml; Baby Lotion=4.8: 200 ml/400 ml; "
         "Soother=5.2: 0-6 months/6-18 months; Formula Milk=14: Stage 1/Stage 2"),
    _sub(4, "Stationery", ".4 30 .6 8 1.0",
         "Notebook=3.2: A5/A4; Ballpoint Pens=4.5: 10-pack/50-pack; "
         "Copy Paper=5.4: 500 sheets/2500 sheets; Ring Binder=2.9: A4/A5; "
         "Marker Set=7.8: 6 colours/12 colours; Envelopes=6.2: C5/DL"),
    _sub(4, "Pet Supplies", ".45 20 .8 12 .2",
         "Dry Dog Food=16: 2 kg/10 kg; Cat Litter=7.5: 5 l/10 l; Chew Toy=6: Small/Large; "
         "Dog Lead=11: 1.2 m/2 m; Bird Seed=5.5: 1 kg/5 kg; Cat Treats=2.1: Salmon/Chicken"),
    _sub(4, "Packaging", ".4 40 .75 11 .5",
         "Cardboard Boxes=18: 25-pack/50-pack; Bubble Wrap=13: 25 m/50 m; "
         "Paper Bags=11: 50-pack/100-pack; Packing Tape=2.6: Clear/Brown; "
         "Shipping Labels=9: 100-pack/500-pack; Gift Wrap=4.2: 2 m/10 m"),
    _sub(4, "Workwear and Safety", ".4 12 .5 9 .4",
         "Safety Gloves=6.5: M/L/XL; Hi-Vis Vest=7: M/L/XL; Safety Boots=62: 41/43/45; "
         "Hard Hat=16: White/Yellow; Work Apron=14: Short/Long; Ear Defenders=18: 25 dB/32 dB"),
)  # fmt: skip
