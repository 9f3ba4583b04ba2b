"""Sounds that are made up: shaped noise and simple events, per scene, place and device.

Scenes overlap but can be learned, devices colour what they hear. For trying the software, not for publishing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

RATE = 44_100
"""Sampling rate of the clips in Hz, as in TAU22; each lasts one second."""
SCENES = (
    "airport", "bus", "metro", "metro_station", "park",
    "public_square", "shopping_mall", "street_pedestrian", "street_traffic", "tram",
)  # fmt: skip
COLOUR_DB = {"a": 1.0, "b": 4.0, "c": 4.0, "s1": 6.0, "s2": 6.0, "s3": 6.0, "s4": 11.0, "s5": 11.0, "s6": 11.0}
"""How much each device colours what it hears: the standard deviation of its frequency response in dB."""
PLACE_KNOTS, PLACE_DB = 8, 2.5
"""A place colours a scene by so many random numbers with so large a standard deviation in dB."""
DIR_COLOUR_DB = 9.0
_LEVEL = 0.06
_FREQUENCIES = np.fft.rfftfreq(RATE, 1 / RATE)
_OCTAVES = np.log2(np.maximum(_FREQUENCIES, 20.0) / 20.0)


@dataclass(frozen=True)
class Scene:
    """A noise spectrum in dB over frequency, a modulation, and the rate and pitch of its events."""

    spectrum_db: np.ndarray
    modulation_hz: float
    modulation_depth: float
    events_per_s: float
    event_hz: float


def scenes(rng: np.random.Generator) -> list[Scene]:
    """Neighbouring scenes share half of their spectral bumps, which is what makes them hard to tell apart."""
    bumps = [(rng.uniform(1.0, 9.5), rng.uniform(6, 14), rng.uniform(0.3, 0.9)) for _ in range(len(SCENES) + 1)]
    made = []
    for number in range(len(SCENES)):
        own, shared = bumps[number], bumps[number + 1]
        spectrum = -3.0 * _OCTAVES  # like most outdoor noise, less energy per hertz towards the top
        for centre, height, width in (own, shared):
            spectrum = spectrum + height * np.exp(-0.5 * ((_OCTAVES - centre) / width) ** 2)
        rate, pitch = rng.choice([0.0, 2.0, 5.0]), float(rng.uniform(300, 6000))
        made.append(Scene(spectrum, float(rng.uniform(1, 12)), float(rng.uniform(0, 0.8)), float(rate), pitch))
    return made


def colour(rng: np.random.Generator, deviation_db: float) -> np.ndarray:
    """A smooth random frequency response in dB with the given standard deviation."""
    knots = np.arange(0.0, 11.0)
    return np.interp(_OCTAVES, knots, rng.normal(0, deviation_db, len(knots)))


def one_second(rng: np.random.Generator, scene: Scene, place_db: np.ndarray, device_db: np.ndarray) -> np.ndarray:
    """One second of a scene at a place, as one device hears it; ``(RATE,)`` float."""
    place = np.interp(_OCTAVES, np.linspace(0, 10, len(place_db)), place_db)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=RATE)) * _gain(scene.spectrum_db + place), RATE)
    time = np.arange(RATE) / RATE
    phase = rng.uniform(0, 2 * np.pi)
    noise *= 1 + scene.modulation_depth * np.sin(2 * np.pi * scene.modulation_hz * time + phase)
    scale = noise.std()
    for _ in range(rng.poisson(scene.events_per_s)):
        start, pitch = rng.uniform(0, 0.9), scene.event_hz * rng.uniform(0.9, 1.1)
        envelope = np.where(time >= start, np.exp(-(time - start) / 0.06), 0.0)
        noise += 3 * scale * envelope * np.sin(2 * np.pi * pitch * time)
    heard = np.fft.irfft(np.fft.rfft(noise) * _gain(device_db), RATE)
    heard *= _LEVEL * 10 ** (rng.normal(0, 3) / 20) / heard.std()
    return np.clip(heard, -1, 1)


def steady(noise: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """One second of noise of a given spectrum: a tenth of the time of :func:`one_second`, for very large corpora.

    Args:
        noise: the spectrum of white noise, ``(RATE // 2 + 1,)`` complex.
        gain: of a scene at a place as a device hears it, see :func:`steady_gain`.

    Returns:
        ``(RATE,)`` float, of about the same loudness as others of that gain.
    """
    from scipy.fft import irfft

    return np.asarray(irfft(noise * gain, RATE))


def steady_gain(scene: Scene, place_db: np.ndarray, device_db: np.ndarray) -> np.ndarray:
    """What :func:`steady` multiplies the spectrum of white noise with a standard deviation of 1 by."""
    place = np.interp(_OCTAVES, np.linspace(0, 10, len(place_db)), place_db)
    gain = _gain(scene.spectrum_db + place + device_db)
    return np.asarray(_LEVEL * gain / np.sqrt((gain**2).mean()))


def _gain(decibels: np.ndarray) -> np.ndarray:
    return 10 ** (decibels / 20)


def impulse_response(colour_db: np.ndarray, n_fft: int | None = None) -> np.ndarray:
    """A minimum-phase impulse response of 23 ms and unit energy with the given frequency response.

    Args:
        colour_db: from :func:`colour`.
        n_fft: how finely the phase is computed; very finely by default, which takes a while.
    """
    from scipy.signal import firwin2, minimum_phase

    grid = np.linspace(0, RATE / 2, 257)
    gain = _gain(np.interp(grid, _FREQUENCIES, colour_db))
    gain[-1] = 0.0
    linear = firwin2(1025, grid, gain, fs=RATE)
    response = minimum_phase(linear, half=False, n_fft=n_fft)
    return (response / np.linalg.norm(response)).astype(np.float32)
