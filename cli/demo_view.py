"""What a demo prints: how the models did, and what to try next."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.syntax import Syntax
from rich.text import Text

if TYPE_CHECKING:
    from core.settings import Settings


QUERY = """{
  buyer(by: { externalId: %s }) {
    matches(first: 5) {
      edges { node {
        score
        offer { externalId title price { amount currency } }
        explanations(first: 2) { kind summary contribution }
      } }
    }
  }
}"""


def first_query(settings: Settings, buyer_id: str) -> RenderableType:
    """Where the API is, and a query to paste, about a buyer that is there."""
    address = f"http://{settings.host}:{settings.port}/graphql"
    command = "offerpath" if shutil.which("offerpath") else ".venv/bin/offerpath"
    home = f"{command} --home {settings.home}"
    return Group(
        Text(f"Open {address} and paste:\n"),
        Syntax(QUERY % json.dumps(buyer_id), "graphql", background_color="default"),
        Text(f"\nOr, once this has ended (Ctrl+C):  {home} match {buyer_id} --first 5\n"),
    )
