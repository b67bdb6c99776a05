import pytest
from pydantic import BaseModel, ValidationError

from configs import settings, tuning
from configs.secrets import MissingSecret, read_database_url, read_token_secrets
from configs.settings import EncoderSettings, ServiceSettings
from configs.tuning import IngressTuning


def models() -> list[type[BaseModel]]:
    """Return every settings model."""
    return [
        value
        for module in (settings, tuning)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseModel) and value.__module__ == module.__name__
    ]


@pytest.mark.parametrize("size", [(640, 650), (32, 640), (640, 1312)])
def test_a_detector_input_that_the_detector_is_not_meant_for_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValidationError, match="multiples of 32 from 64 to 1280"):
        EncoderSettings(detector_input=size)


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_every_knob_says_what_it_is_for_and_has_a_default(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        is_group = isinstance(field.default, BaseModel)
        assert is_group or field.description, name
        assert not field.is_required(), name


@pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)
def test_settings_are_immutable(model: type[BaseModel]) -> None:
    instance = model()

    for name in model.model_fields:
        with pytest.raises(ValidationError):
            setattr(instance, name, getattr(instance, name))


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ValidationError, match="pakc"):
        ServiceSettings.model_validate({"encoder": {"pakc": "buffalo_l"}})


def test_a_knob_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValidationError, match="match_threshold"):
        IngressTuning.model_validate({"match_threshold": 1.5})


def test_without_a_database_url_the_variable_is_named() -> None:
    with pytest.raises(MissingSecret, match="FACESERVE_DATABASE_URL"):
        read_database_url({})


def test_a_database_url_does_not_show_when_printed() -> None:
    url = read_database_url({"FACESERVE_DATABASE_URL": "postgresql://u:hidden@host/db"})

    assert "hidden" not in repr(url)


def test_without_token_keys_every_variable_is_named() -> None:
    with pytest.raises(MissingSecret, match=r"JWT_SECRET.*PUBLIC_KEY_FILE.*JWKS_FILE"):
        read_token_secrets({})


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(MissingSecret, match="32 bytes"):
        read_token_secrets({"FACESERVE_JWT_SECRET": "short"})


def test_an_unreadable_key_file_names_the_variable_and_not_the_path() -> None:
    with pytest.raises(MissingSecret, match="FACESERVE_JWT_JWKS_FILE") as raised:
        read_token_secrets({"FACESERVE_JWT_JWKS_FILE": "/nowhere/secret.json"})

    assert "/nowhere" not in str(raised.value)
