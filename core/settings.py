"""Settings: read once, at the composition roots, from OFFERPATH_* variables."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import SettingsError


class Environment(StrEnum):
    """DEVELOPMENT opens the API to everybody, on loopback only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Settings(BaseSettings):
    """Every setting, with the OFFERPATH_ variable it comes from in upper case."""

    model_config = SettingsConfigDict(env_prefix="OFFERPATH_", extra="ignore")

    home: Path = Field(Path(".offerpath"), description="Folder of models, snapshots, reports")
    graph_uri: str = Field(
        "", description="embedded:PATH, neo4j://HOST or bolt://HOST; empty: embedded in home"
    )
    graph_user: str = "neo4j"
    graph_password: SecretStr = SecretStr("")
    graph_database: str = "neo4j"
    environment: Environment = Environment.DEVELOPMENT
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    connections_per_address: int = Field(
        50, ge=1, description="WebSockets and event streams that one address may have at a time"
    )
    cache_url: str = Field("memory://", description="memory:// or redis://HOST:PORT/DB")
    jwt_key: SecretStr = Field(SecretStr(""), description="HS256 secret or RS256/ES256 public PEM")
    jwt_algorithm: str = Field("HS256", pattern="^(HS256|RS256|ES256)$")
    jwt_audience: str = "offerpath"
    jwt_issuer: str = "offerpath"
    pseudonym_key: SecretStr = Field(
        SecretStr(""), description="Key of the keyed hash that replaces ids and personal fields"
    )
    log_level: str = "INFO"
    idempotency_retention_days: int = Field(7, ge=1)
    event_retention_days: int = Field(90, ge=1)
    event_retention_count: int = Field(5_000_000, ge=1_000)
    match_top: int = Field(
        20, ge=1, le=100, description="A match is new when it enters so many first places"
    )
    match_threshold: float = Field(0.0, ge=0, le=1, description="Pairs below are never told of")
    match_window_days: int = Field(
        30, ge=1, description="A standing match that enters again is told again after these"
    )
    match_digest_per_day: int = Field(
        3, ge=0, description="New matches of a buyer told in a day because of models and imports"
    )
    match_update_step: float = Field(
        0.05, gt=0, le=1, description="A match is told of again when its score moves by more"
    )
    webhook_key: SecretStr = Field(
        SecretStr(""), description="What the secrets of webhooks are derived from"
    )
    webhook_allow_private: bool = Field(
        False, description="Whether webhooks may go to addresses inside the network, and by http"
    )
    webhook_log_days: int = Field(14, ge=1)
    webhook_log_count: int = Field(1_000, ge=1, description="Attempts kept for each webhook")

    @property
    def resolved_graph_uri(self) -> str:
        """The graph URI, with the embedded default inside ``home`` filled in."""
        return self.graph_uri or f"embedded:{self.home / 'graph.lbug'}"

    @property
    def models_dir(self) -> Path:
        """Where published models lie."""
        return self.home / "models"

    @property
    def snapshots_dir(self) -> Path:
        """Where published graph snapshots lie."""
        return self.home / "snapshots"

    @property
    def reports_dir(self) -> Path:
        """Where quality and evaluation reports are written."""
        return self.home / "reports"


def load_settings(**overrides: object) -> Settings:
    """Read the settings from the environment; ``overrides`` win.

    Raises:
        SettingsError: naming each variable that is malformed.
    """
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic validates the values
    except ValidationError as error:
        first = error.errors()[0]
        name = "OFFERPATH_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(
            f"{name}: {first['msg']}.", mend=f"Correct or unset {name}.", field=(name,)
        ) from error
