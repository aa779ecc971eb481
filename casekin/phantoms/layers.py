"""What lies in the skin, layer by layer."""

from dataclasses import dataclass

from casekin.phantoms.noise import Field


@dataclass
class Layers:
    """Fields of one size, added to by the structures and turned into colours by the picture."""

    melanin: Field
    """Optical density at 550 nm, above that of the skin around."""
    blood: Field
    """Likewise."""
    veil: Field
    """Share covered by blue-white veil, 0..1."""
    white: Field
    """Share covered by scar, cysts or scales, 0..1."""

    def all(self) -> tuple[Field, Field, Field, Field]:
        """The four, in the order of their declaration."""
        return self.melanin, self.blood, self.veil, self.white
