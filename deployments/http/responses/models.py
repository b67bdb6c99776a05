"""The models that run."""

from typing import Self

from deployments.http.responses.base import Shape
from encoders.types import ModelDescription


class ModelComponent(Shape):
    """A model file that runs."""

    model_id: str
    model_version: str
    task: str
    sha256: str
    file: str | None = None
    input_size: list[int] | None = None
    embedding_dimension: int | None = None
    preprocessing_version: str | None = None

    @classmethod
    def all_of(cls, model: ModelDescription) -> list[Self]:
        """Return every file of the pack that runs."""
        return [
            cls(
                model_id=model.pack,
                model_version=model.version,
                task=component.task,
                sha256=component.sha256,
                file=component.file,
                input_size=None if component.input_size is None else list(component.input_size),
                embedding_dimension=component.embedding_dimension,
                preprocessing_version=(
                    model.contract.preprocessing_version if component.task == "recognition" else None
                ),
            )
            for component in model.components
        ]


class ModelLicense(Shape):
    """Under which terms the models may be used."""

    text: str
    commercial_use: bool

    @classmethod
    def of(cls, model: ModelDescription) -> Self:
        """Return the terms of the pack that runs."""
        return cls(text=model.licence, commercial_use=model.commercial_use)


class ModelSummary(Shape):
    """The models that run, and the contract that their embeddings follow."""

    model_id: str
    model_version: str
    model_digest: str
    embedding_dimension: int
    embedding_contract_id: str
    preprocessing_version: str
    provider: str
    models: list[ModelComponent]
    license: ModelLicense

    @classmethod
    def of(cls, model: ModelDescription) -> Self:
        """Return the pack that runs."""
        contract = model.contract
        return cls(
            model_id=contract.model_id,
            model_version=contract.model_version,
            model_digest=contract.model_digest,
            embedding_dimension=contract.dimension,
            embedding_contract_id=contract.id,
            preprocessing_version=contract.preprocessing_version,
            provider=model.provider,
            models=ModelComponent.all_of(model),
            license=ModelLicense.of(model),
        )
