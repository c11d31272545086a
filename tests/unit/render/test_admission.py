"""Requests become jobs, or a list of everything that is wrong with them."""

import pytest
from tapelog.common.v1.audio_pb2 import FrameRange
from tapelog.common.v1.recipe_pb2 import (
    Alternate,
    Container,
    MasterRecipe,
    MasterTarget,
    MixRecipe,
    OutputFormat,
    RecipeSource,
    RecipeTrack,
)
from tapelog.render.v1.resources_pb2 import (
    AlbumSong,
    AlbumSpec,
    AnalysisSpec,
    CompPassage,
    CompSpec,
    JobState,
    MasterSpec,
    MixSpec,
    PreviewSpec,
    PriorityClass,
    RenderJob,
    RenderKind,
    RenderReference,
    RepairSpec,
    StemGroup,
    StemsSpec,
    VerifySpec,
)
from tapelog_chassis.errors import InvalidArgument
from tapelog_render.application.asking import admission, sizing, specs

ASSET = "ab" * 32
RECIPE = MixRecipe(
    sample_rate_hz=48_000, tracks=[RecipeTrack(id="vox", source=RecipeSource(asset_sha256=ASSET), tags=["vocal"])]
)
TARGET = MasterTarget(integrated_lufs=-14.0)
REFERENCE = RenderReference(project="prj-a", song="sng-a", key="mixVersions/1", cycle=1)


def _mix(**fields: object) -> RenderJob:
    values = {"kind": RenderKind.RENDER_KIND_MIX, "mix": MixSpec(recipe=RECIPE), "reference": REFERENCE}
    return RenderJob(**{**values, **fields})


def _refused(job: RenderJob) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as refusal:
        admission.admit(job, engine_version="engine/1")
    return {violation.field: violation.description for violation in refusal.value.fields}


def test_only_what_the_caller_decides_is_taken_over():
    """Output-only fields that a caller sends are ignored; class, account and digests are filled in."""
    sent = _mix(
        state=JobState.JOB_STATE_SUCCEEDED, attempts=9, worker="wrk-x", render_digest="mine", name="renderJobs/x"
    )
    job = admission.admit(sent, engine_version="engine/1")
    assert (job.state, job.attempts, job.worker, job.name) == (JobState.JOB_STATE_UNSPECIFIED, 0, "", "")
    assert job.priority_class == PriorityClass.PRIORITY_CLASS_STANDARD
    assert job.usage_account == "prj-a"
    assert len(job.render_digest) == 64


def test_the_render_digest_knows_the_engine_and_the_recipe_digest_does_not():
    """Another engine changes what is cached, not what is approved and billed."""
    one, two = (admission.admit(_mix(), engine_version=version) for version in ("engine/1", "engine/2"))
    assert one.recipe_digest == two.recipe_digest
    assert one.render_digest != two.render_digest


def test_every_wrong_field_is_named_at_once():
    """Reference, account, length and recipe are all reported in one refusal."""
    job = _mix(
        reference=RenderReference(project="Not An Id", song="sng-a", cycle=-1),
        usage_account="prj-other",
        expected_length_frames=-5,
        external_ref="x" * 201,
        mix=MixSpec(recipe=MixRecipe(sample_rate_hz=1)),
    )
    fields = _refused(job)
    assert {
        "job.reference.project",
        "job.reference.cycle",
        "job.usage_account",
        "job.expected_length_frames",
        "job.external_ref",
        "job.mix.recipe.sample_rate_hz",
        "job.mix.recipe.tracks",
    } <= fields.keys()
    assert "prj-other" in fields["job.usage_account"]


@pytest.mark.parametrize(
    ("job", "field"),
    [
        (_mix(kind=RenderKind.RENDER_KIND_UNSPECIFIED), "job.kind"),
        (_mix(kind=RenderKind.RENDER_KIND_MASTER), "job.master"),
        (_mix(kind=RenderKind.RENDER_KIND_ALTERNATE), "job.mix.alternate"),
        (_mix(mix=MixSpec(recipe=RECIPE, alternate=Alternate(id="inst", mute=["vocal"]))), "job.mix.alternate"),
        (
            _mix(
                kind=RenderKind.RENDER_KIND_ALTERNATE,
                mix=MixSpec(recipe=RECIPE, alternate=Alternate(id="inst", mute=["drums"])),
            ),
            "job.mix.alternate.mute[0]",
        ),
        (_mix(mix=MixSpec(recipe=RECIPE, outputs=[OutputFormat(bit_depth=20)])), "job.mix.outputs[0].bit_depth"),
        (
            RenderJob(
                kind=RenderKind.RENDER_KIND_ANALYSIS, analysis=AnalysisSpec(asset_sha256="xyz"), reference=REFERENCE
            ),
            "job.analysis.asset_sha256",
        ),
        (
            RenderJob(
                kind=RenderKind.RENDER_KIND_MASTER,
                master=MasterSpec(
                    recipe=MasterRecipe(source=RecipeSource(file="mix.wav"), target=MasterTarget(name="streaming"))
                ),
                reference=REFERENCE,
            ),
            "job.master.recipe.source.file",
        ),
    ],
    ids=[
        "no kind",
        "spec of another kind",
        "alternate missing",
        "alternate of a mix",
        "unknown tag",
        "bit depth",
        "digest",
        "file",
    ],
)
def test_kind_and_spec_have_to_agree(job: RenderJob, field: str):
    """Each mistake is found at its own path."""
    assert field in _refused(job)


def test_a_mix_without_outputs_is_one_float_wav():
    """The default is written out, so that the digest names what is made."""
    (output,) = specs.outputs_of(_mix())
    assert (output.container, output.bit_depth) == (Container.CONTAINER_WAV, 32)


def test_analyses_are_not_billed_and_mixes_reserve_their_expected_length():
    """Half a second expected is 500 ms reserved, under the key of the intent."""
    analysis = admission.admit(
        RenderJob(kind=RenderKind.RENDER_KIND_ANALYSIS, analysis=AnalysisSpec(asset_sha256=ASSET), reference=REFERENCE),
        engine_version="engine/1",
    )
    assert admission.usage_entry_of("job-a", analysis) is None
    mix = admission.admit(_mix(expected_length_frames=24_000), engine_version="engine/1")
    first, second = (admission.usage_entry_of(job_id, mix) for job_id in ("job-a", "job-b"))
    assert first is not None
    assert second is not None
    assert first.reserved_ms == 500
    assert first.usage_key == second.usage_key


def test_an_alternate_that_changes_nothing_else_has_its_own_digest():
    """Alternates are other creative content, and other intents."""
    alternate = _mix(
        kind=RenderKind.RENDER_KIND_ALTERNATE,
        mix=MixSpec(recipe=RECIPE, alternate=Alternate(id="inst", mute=["vocal"])),
    )
    digests = {admission.admit(job, engine_version="engine/1").recipe_digest for job in (_mix(), alternate)}
    assert len(digests) == 2


def test_each_asset_is_fetched_once():
    """Two tracks of one asset need one file."""
    recipe = MixRecipe(tracks=[*RECIPE.tracks, RecipeTrack(id="double", source=RecipeSource(asset_sha256=ASSET))])
    assert specs.assets_of(_mix(mix=MixSpec(recipe=recipe))) == [ASSET]


def test_an_impulse_response_is_fetched_and_owned_like_a_take():
    """The asset of a convolution reverb is among the assets that a job reads, and that the project has to own."""
    recipe = MixRecipe()
    recipe.CopyFrom(RECIPE)
    recipe.buses.add(id="room").chain.add().convolution.impulse.asset_sha256 = "1" * 64
    assert specs.assets_of(_mix(mix=MixSpec(recipe=recipe)))[-1] == "1" * 64


def _of(kind: RenderKind.ValueType, **spec: object) -> RenderJob:
    return RenderJob(kind=kind, reference=REFERENCE, **spec)


@pytest.mark.parametrize(
    ("job", "field"),
    [
        (_of(RenderKind.RENDER_KIND_VERIFY, verify=VerifySpec()), "job.kind"),
        (_of(RenderKind.RENDER_KIND_PREVIEW, mix=MixSpec(recipe=RECIPE)), "job.preview"),
        (_of(RenderKind.RENDER_KIND_PREVIEW, preview=PreviewSpec(asset_sha256=ASSET)), "job.preview.range"),
        (
            _of(
                RenderKind.RENDER_KIND_PREVIEW,
                preview=PreviewSpec(mix=RECIPE, range=FrameRange(end_frame=700 * 48_000)),
            ),
            "job.preview.range",
        ),
        (
            _of(
                RenderKind.RENDER_KIND_PREVIEW,
                preview=PreviewSpec(asset_sha256=ASSET, range=FrameRange(end_frame=48_000), target_lufs=3.0),
            ),
            "job.preview.target_lufs",
        ),
        (_of(RenderKind.RENDER_KIND_REPAIR, repair=RepairSpec(asset_sha256=ASSET, tools=["x"])), "job.repair.tools[0]"),
        (
            _of(RenderKind.RENDER_KIND_STEMS, stems=StemsSpec(recipe=RECIPE, groups=[StemGroup(id="a")])),
            "job.stems.groups[0].members",
        ),
        (_of(RenderKind.RENDER_KIND_COMP, comp=CompSpec()), "job.comp.passages"),
        (
            _of(
                RenderKind.RENDER_KIND_COMP,
                comp=CompSpec(passages=[CompPassage(asset_sha256="x", range=FrameRange(end_frame=9))]),
            ),
            "job.comp.passages[0].asset_sha256",
        ),
        (_of(RenderKind.RENDER_KIND_ALBUM, album=AlbumSpec(target=TARGET)), "job.album.songs"),
        (
            _of(
                RenderKind.RENDER_KIND_ALBUM,
                album=AlbumSpec(target=TARGET, songs=[AlbumSong(asset_sha256=ASSET, gap_s=61.0, title="x" * 201)]),
            ),
            "job.album.songs[0].gap_s",
        ),
    ],
    ids=[*"abcdefghijk"],
)
def test_a_wrong_spec_is_refused_by_its_field(job: RenderJob, field: str):
    """Each kind's mistakes are found before anything is recorded."""
    assert field in _refused(job)


def test_the_digest_of_a_spec_is_free_of_its_files_and_the_render_digest_is_not():
    """Another format of the same stems is the same intent, under another key of caches."""
    plain = _of(RenderKind.RENDER_KIND_STEMS, stems=StemsSpec(recipe=RECIPE))
    flac = _of(
        RenderKind.RENDER_KIND_STEMS,
        stems=StemsSpec(recipe=RECIPE, output=OutputFormat(container=Container.CONTAINER_FLAC, bit_depth=24)),
    )
    one, two = (admission.admit(job, engine_version="engine/1") for job in (plain, flac))
    assert one.recipe_digest == two.recipe_digest
    assert one.render_digest != two.render_digest
    mix = admission.admit(_mix(), engine_version="engine/1")
    assert mix.recipe_digest != one.recipe_digest


def test_every_source_of_every_kind_is_known():
    """Whatever field names an asset, it is fetched and asked about, each once."""
    passages = [CompPassage(asset_sha256=letter * 64, range=FrameRange(end_frame=1)) for letter in "aba"]
    assert specs.assets_of(_of(RenderKind.RENDER_KIND_COMP, comp=CompSpec(passages=passages))) == ["a" * 64, "b" * 64]
    repeated = RenderJob(verify=VerifySpec(job=_mix()))
    assert specs.assets_of(repeated) == [ASSET]


def test_limits_grow_with_what_a_job_is():
    """More tracks and longer sources may take more; the model is proportional to the length."""
    small = _mix()
    large = _mix(mix=MixSpec(recipe=MixRecipe(sample_rate_hz=48_000, tracks=[RECIPE.tracks[0]] * 64)))
    assert sizing.limits_of(large).memory_bytes > sizing.limits_of(small).memory_bytes
    assert sizing.limits_of(small, source_bytes=10**9).time_s > sizing.limits_of(small).time_s
    one, two = (sizing.render_seconds(small, seconds) - sizing.START_S for seconds in (60.0, 120.0))
    assert two == pytest.approx(2.0 * one)
    repair = _of(RenderKind.RENDER_KIND_REPAIR, repair=RepairSpec(asset_sha256=ASSET))
    assert sizing.limits_of(repair, source_bytes=10**7).memory_bytes > 800_000_000
