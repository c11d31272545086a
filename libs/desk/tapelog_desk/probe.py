"""What a file is, without decoding it."""

from pathlib import Path

from tapelog.common.v1 import audio_pb2 as pb

from tapelog_desk.files.readers import open_audio


def probe_file(path: Path, *, name: str = "") -> pb.AudioFormat:
    """Return what a file's header says, checked against the limits.

    The length is the declared one: only `analyze_file`, which decodes the file whole, proves it.

    Raises
    ------
    SourceError
        It is missing, not audio, of a format that is not read, or visibly cut off.
    """
    with open_audio(path, name=name) as reader:
        return reader.format
