"""Sessions as other programs write them become recipes, with a report of what did not travel."""

import math
from pathlib import Path

import pytest
from tapelog.common.v1 import recipe_pb2 as pb
from tapelog_interchange import Imported, RefusedError, assemble, read_project, read_rpp
from tapelog_recipe import validate_mix

HOST = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Project version="1.0">
  <Application name="Some Host" version="5.0"/>
  <Transport><Tempo unit="bpm" value="120.0" id="t"/><TimeSignature numerator="4" denominator="4" id="ts"/></Transport>
  <Structure>
    <Track contentType="tracks" id="g" name="Drums">
      <Channel role="submix" id="gc" destination="mc"><Volume unit="linear" value="0.5" id="gv"/></Channel>
      <Track contentType="audio" id="k" name="Kick Drum!">
        <Channel audioChannels="1" destination="gc" role="regular" id="kc">
          <Devices>
            <Equalizer deviceName="EQ+" deviceRole="audioFX" id="e">
              <Enabled value="true" id="en"/><State path="plugins/eq.bin"/>
              <Band type="highPass" order="4"><Freq unit="semitones" value="33" id="f1"/></Band>
              <Band type="bell"><Freq unit="hertz" value="100" id="f2"/><Gain unit="decibel" value="30" id="g2"/>
                <Q unit="linear" value="1.5" id="q2"/></Band>
              <Band type="bandPass"><Freq unit="hertz" value="500" id="f3"/></Band>
              <Band type="bell"><Freq unit="hertz" value="900" id="f4"/><Enabled value="false" id="x"/></Band>
              <OutputGain unit="decibel" value="-3" id="og"/>
            </Equalizer>
            <Vst3Plugin deviceName="Big Verb" deviceRole="audioFX" deviceID="abc" id="v"/>
            <Compressor deviceName="Comp" deviceRole="audioFX" id="c"><Enabled value="false" id="ce"/>
              <Attack unit="seconds" value="0.01" id="ca"/><Ratio unit="linear" value="4" id="cr"/>
              <Release unit="seconds" value="0.2" id="cl"/><Threshold unit="decibel" value="-18" id="ct"/></Compressor>
          </Devices>
          <Mute value="true" id="km"/><Pan unit="normalized" value="0.25" id="kp"/>
          <Sends><Send destination="fc" type="pre" id="s"><Volume unit="decibel" value="-12" id="sv"/></Send></Sends>
          <Volume unit="linear" value="1.0" id="kv"/>
        </Channel>
      </Track>
    </Track>
    <Track contentType="notes" id="n" name="Keys"><Channel role="regular" id="nc" destination="mc"/></Track>
    <Track contentType="audio" id="f" name="FX"><Channel role="effect" id="fc" destination="mc"/></Track>
    <Track contentType="audio" id="m" name="Master"><Channel role="master" id="mc"/></Track>
  </Structure>
  <Arrangement id="a">
    <Lanes timeUnit="beats" id="l">
      <Lanes track="k" id="lk">
        <Clips id="cl1">
          <Clip time="8.0" duration="4.0" fadeInTime="0.1"><Clips id="cl2"><Clip time="0.0" duration="4.0"
            contentTimeUnit="seconds" playStart="0.0"><Audio channels="1" duration="2.0" sampleRate="44100" id="au">
            <File path="audio/kick.wav"/></Audio></Clip></Clips></Clip>
        </Clips>
        <Points unit="linear" id="p"><Target parameter="kv"/><RealPoint time="8" value="1.0" interpolation="linear"/>
          <RealPoint time="10" value="0.5" interpolation="hold"/></Points>
      </Lanes>
      <Lanes track="n" id="ln"><Clips id="cl3"><Clip time="0" duration="4"><Notes id="no"/></Clip></Clips></Lanes>
    </Lanes>
    <Markers id="mk"><Marker time="16.0" name="Chorus"/></Markers>
    <TempoAutomation unit="bpm" id="ta"><Target parameter="t"/></TempoAutomation>
  </Arrangement>
</Project>
"""


def imported(text: str) -> Imported:
    """Read and assemble a session, and hold the result to the recipe's own rules."""
    made = assemble(read_project(text.encode(), "project.xml"))
    assert validate_mix(made.recipe, services=False) == ()
    return made


def test_a_foreign_session():
    """Groups, sends, units of other hosts, beats, nested clips and automation arrive in our units."""
    recipe = imported(HOST).recipe
    (track,) = recipe.tracks
    assert (track.id, recipe.sample_rate_hz, recipe.tempo_bpm) == ("kick-drum", 44_100, 120)
    assert (track.source.file, track.start_frame) == ("audio/kick.wav", 4 * 44_100)
    assert (track.mute, track.pan, track.output_bus) == (True, -0.5, "drums")
    assert [insert.WhichOneof("kind") for insert in track.chain] == ["high_pass", "eq", "gain", "compressor"]
    assert track.chain[0].high_pass.frequency_hz == pytest.approx(55.0, abs=1e-6)  # MIDI note 33 is A1
    assert track.chain[0].high_pass.slope_db_oct == 24
    (band,) = track.chain[1].eq.bands
    assert (band.frequency_hz, band.gain_db, band.q) == (100, 24, 1.5)
    assert track.chain[2].gain.gain_db == -3
    assert track.chain[3].bypass
    assert (track.chain[3].compressor.attack_ms, track.chain[3].compressor.ratio) == (10, 4)
    (send,) = track.sends
    assert (send.bus, send.gain_db, send.pre_fader) == ("fx", -12, True)
    first, second = track.gain_automation
    assert (first.frame, first.gain_db, first.curve) == (4 * 44_100, 0, pb.AUTOMATION_CURVE_LINEAR)
    assert (second.frame, second.curve) == (5 * 44_100, pb.AUTOMATION_CURVE_HOLD)
    assert second.gain_db == pytest.approx(20 * math.log10(0.5), abs=1e-6)
    assert {bus.id: round(bus.gain_db, 3) for bus in recipe.buses} == {"drums": -6.021, "fx": 0}


def test_what_did_not_travel_is_said():
    """Plug-ins, odd bands, fades, notes, moving tempo and clamped values are each in the report."""
    told = [str(loss) for loss in imported(HOST).losses]
    for words in ("Big Verb", "bandPass", "switched off", "+30.0 dB", "fadeIn", "notes", "tempo that moves", "state"):
        assert any(words in line for line in told), (words, told)


def test_markers_are_in_seconds():
    """A marker at beat 16 of 120 bpm stands at 8 s."""
    (marker,) = read_project(HOST.encode(), "project.xml").markers
    assert (marker.time_s, marker.name) == (8.0, "Chorus")


def test_several_clips_become_a_bus():
    """A track of two clips plays both, through one strip, and a clip inside its file is to be cut out."""
    clip = (
        '<Clip time="{}" duration="1" contentTimeUnit="seconds" playStart="{}">'
        '<Audio channels="1" duration="9" sampleRate="48000"><File path="audio/v.wav"/></Audio></Clip>'
    )
    text = (
        '<Project version="1.0"><Application name="x" version="1"/><Structure><Track id="k" name="Vox">'
        '<Channel role="regular" id="kc"><Volume unit="decibel" value="-4" id="kv"/></Channel></Track></Structure>'
        '<Arrangement id="a"><Lanes timeUnit="seconds" id="l"><Lanes track="k" id="m"><Clips id="c">'
        f"{clip.format(2, 3.5)}{clip.format(7, 0)}</Clips></Lanes></Lanes></Arrangement></Project>"
    )
    made = imported(text)
    assert [(t.id, t.start_frame, t.output_bus, t.gain_db) for t in made.recipe.tracks] == [
        ("vox-2", 96_000, "vox", 0), ("vox-3", 336_000, "vox", 0)]  # fmt: skip
    assert [(bus.id, bus.gain_db) for bus in made.recipe.buses] == [("vox", -4)]
    assert [(cut.track, cut.offset_s, cut.length_s) for cut in made.cuts] == [("vox-2", 3.5, 1), ("vox-3", 0, 1)]


def test_a_session_without_audio():
    """Nothing to mix is said as such."""
    with pytest.raises(RefusedError, match="no track with an audio file"):
        imported('<Project version="1.0"><Application name="x" version="1"/></Project>')


@pytest.mark.parametrize("value", ["nan", "inf", "-1e999", "abc", ""])
def test_numbers_that_are_none(value: str):
    """Not-a-numbers and text in a fader leave it at its default."""
    text = HOST.replace('value="1.0" id="kv"', f'value="{value}" id="kv"')
    assert imported(text).recipe.tracks[0].gain_db == 0


RPP = """<REAPER_PROJECT 0.1 "7.16/linux-x86_64" 1716000000
  TEMPO 98 4 4
  SAMPLERATE 48000 0 0
  MASTER_VOLUME 0.5 0 -1 -1 1
  MARKER 1 12.5 "Verse 2" 0
  <TRACK {A}
    NAME "Drum Bus"
    VOLPAN 0.707946 0 -1 -1 1
    ISBUS 1 1
  >
  <TRACK {B}
    NAME Snare
    VOLPAN 1 -0.5 -1 -1 1
    MUTESOLO 0 1 0
    IPHASE 1
    ISBUS 2 -1
    <VOLENV2
      ACT 1 -1
      PT 0 1 0
      PT 2 0.5 1
    >
    <FXCHAIN
      BYPASS 0 0 0
      <VST "VST: ReaComp (Cockos)" reacomp.dll 0 "" 1919247213
        bWNlcu5e7f4CAAAA
      >
    >
    <ITEM
      POSITION 1.5
      LENGTH 4
      SOFFS 0
      FADEIN 1 0.5 0
      <SOURCE WAVE
        FILE "media\\snare take 1.wav"
      >
    >
  >
  <TRACK {C}
    NAME 'The "Hall"'
    AUXRECV 1 3 0.25 0 0 0 0 0 0
  >
>
"""


def test_a_reaper_project():
    """Folders, faders, sends, polarity, envelopes, items and markers arrive; the plug-in is named."""
    session = read_rpp(RPP.encode(), "song.rpp")
    made = assemble(session)
    assert validate_mix(made.recipe, services=False) == ()
    (track,) = made.recipe.tracks
    assert (track.id, track.source.file, track.start_frame) == ("snare", "media/snare take 1.wav", 72_000)
    assert (track.pan, track.solo, track.polarity_inverted, track.output_bus) == (-0.5, True, True, "drum-bus")
    assert [round(point.gain_db, 3) for point in track.gain_automation] == [0, -6.021]
    assert [(send.bus, round(send.gain_db, 2), send.pre_fader) for send in track.sends] == [("the-hall", -12.04, True)]
    assert {bus.id: round(bus.gain_db, 3) for bus in made.recipe.buses} == {"drum-bus": -3.0, "the-hall": 0}
    assert round(made.recipe.mix_gain_db, 3) == -6.021
    assert (made.recipe.tempo_bpm, [(m.time_s, m.name) for m in session.markers]) == (98, [(12.5, "Verse 2")])
    told = [str(loss) for loss in made.losses]
    assert any("ReaComp" in line for line in told)
    assert any("in fade" in line for line in told)
    assert [(cut.offset_s, cut.length_s) for cut in made.cuts] == [(0, 4)]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "does not begin"),
        (b"<SONG\n>", "does not begin"),
        (b"<REAPER_PROJECT\n<TRACK\n>", "ends inside"),
        (b"<REAPER_PROJECT\n" + b"<A\n" * 200, "deeper than"),
        (b">\n", "closes a block"),
    ],
)
def test_broken_reaper_projects(body: bytes, why: str):
    """Damage ends in one typed error."""
    with pytest.raises(RefusedError, match=why):
        read_rpp(body, "a.rpp")


def test_reaper_words():
    """Any of three quotes may stand around a name that has the other two."""
    from tapelog_interchange.rpp_blocks import words_of

    assert words_of("""NAME 'a "b" c' `d 'e' "f"` "g""") == ["NAME", 'a "b" c', """d 'e' "f\"""", "g"]


def test_the_own_folder_is_the_only_place_of_audio(tmp_path: Path):
    """A Reaper project that names a file outside its folder does not get it."""
    from tapelog_cli.desk.sessions import _Audio

    (tmp_path / "secret.wav").write_bytes(b"x")
    home = tmp_path / "home"
    home.mkdir()
    audio = _Audio(tmp_path / "out", None, home / "a.rpp")
    (tmp_path / "out").mkdir()
    assert audio.bring("../secret.wav") is None
    assert audio.bring(str(tmp_path / "secret.wav")) is None
