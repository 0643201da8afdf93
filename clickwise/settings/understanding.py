"""How items are read: encoders of text and pictures, languages, topics."""

from typing import Annotated

from msgspec import Meta

from clickwise.settings.vectors import VectorsSettings


class UnderstandingSettings(VectorsSettings, frozen=True, kw_only=True):
    """Encoders and topics."""

    encoder_model: Annotated[
        str,
        Meta(
            description=(
                "`default` (multilingual E5, any language), or a Hugging Face BERT-family folder"
                " or id with safetensors weights. `hashing:384` compares words without a model:"
                " for trials. A change needs all items to be encoded anew."
            )
        ),
    ] = "default"
    encoder_device: Annotated[
        str,
        Meta(pattern="^(auto|cpu|cuda)$", description="cuda fails clearly where there is none."),
    ] = "auto"
    encoder_threads: Annotated[
        int, Meta(ge=1, le=64, description="CPU threads of one encoding.")
    ] = 1
    encoder_batch: Annotated[
        int, Meta(ge=1, le=1_024, description="Most texts encoded at once. Raise on a GPU.")
    ] = 32
    image_encoder: Annotated[
        str,
        Meta(
            description=(
                "How pictures are read (docs/pictures.md): a folder with an ONNX image encoder, or"
                " `vectors:512` (`vectors:NAME:512`) where items bring vectors. Empty: not at all."
                " A change needs all pictures to be sent again."
            )
        ),
    ] = ""

    understand: Annotated[
        bool,
        Meta(
            description=(
                "Understand items (language, keywords, summary, topics) in a process beside the"
                " server. False: on a machine that shall never do it (of those on one"
                " database one does at a time), or where nobody needs it."
            )
        ),
    ] = True
    words_niceness: Annotated[
        int,
        Meta(
            ge=0,
            le=19,
            description="Priority of the process that understands and writes: 19 gives way to all.",
        ),
    ] = 15
    taxonomy: Annotated[
        str,
        Meta(
            description=(
                "TOML file of the site's topics (docs/text.md). Empty: items have the topics that"
                " they bring."
            )
        ),
    ] = ""
