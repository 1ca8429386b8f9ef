"""Procedural sounds: physically sensible models with truthful captions, the project's own work.

They fill classes for which few free recordings exist. A recording is worth more: `kind` says
which is which.
"""

import numpy as np

from . import animals, events, machines, signals, weather
from .tools import RATE

# (name in the records, generator, class, how many clips). A clip's seed is 1000 × the place of its
# row + its number: new rows go to the end.
GENERATORS = (
    ("church_bell", signals.church_bell, "church_bell", 60),
    ("hand_bell", signals.hand_bell, "hand_bell", 30),
    ("wind_chimes", signals.wind_chimes, "wind_chimes", 24),
    ("gong", signals.gong, "gong", 24),
    ("rain", weather.rain, "rain", 40),
    ("thunder", weather.thunder, "thunder", 30),
    ("wind", weather.wind, "wind", 36),
    ("ocean", weather.ocean_waves, "ocean_waves", 40),
    ("stream", weather.stream, "water_stream", 30),
    ("waterfall", weather.waterfall, "waterfall", 14),
    ("drip", weather.water_drip, "water_drip", 24),
    ("bubbles", weather.bubbles, "bubbles", 20),
    ("fire", weather.fire_crackle, "fire_crackle", 36),
    ("crickets", animals.crickets, "cricket_chirp", 36),
    ("cicada", animals.cicada, "cricket_chirp", 12),
    ("bird", animals.bird, "bird_song", 50),
    ("cuckoo", animals.cuckoo, "cuckoo_call", 20),
    ("owl", animals.owl, "owl_hoot", 24),
    ("frog", animals.frog, "frog_croak", 24),
    ("bee", animals.bee, "bee_buzz", 24),
    ("mosquito", animals.mosquito, "bee_buzz", 14),
    ("car", machines.car_engine, "car_engine", 30),
    ("race", machines.race_car, "race_car", 26),
    ("moto", machines.motorcycle, "motorcycle", 30),
    ("diesel", machines.diesel_engine, "diesel_engine", 20),
    ("prop", machines.propeller, "airplane", 24),
    ("jet", machines.jet, "jet", 24),
    ("heli", machines.helicopter, "helicopter", 30),
    ("train", machines.train, "train", 30),
    ("steam", machines.steam_train, "steam_train", 36),
    ("whistle_train", signals.train_whistle, "train_whistle", 40),
    ("ship", signals.ship_horn, "ship_horn", 30),
    ("carhorn", signals.car_horn, "car_horn", 24),
    ("siren", signals.siren, "siren", 45),
    ("alarm", signals.alarm_clock, "alarm", 24),
    ("phone", signals.telephone, "phone_ring", 24),
    ("clock", machines.clock_tick, "clock_tick", 24),
    ("applause", events.applause, "applause", 24),
    ("steps", events.footsteps, "footsteps", 24),
    ("heart", events.heartbeat, "heartbeat", 20),
    ("explosion", events.explosion, "explosion", 30),
    ("gun", events.gunshot, "gunshot", 20),
    ("mgun", events.machine_gun, "machine_gun", 20),
    ("fireworks", events.fireworks, "fireworks", 30),
    ("laser", signals.laser, "laser", 24),
    ("static", signals.radio_static, "radio_static", 10),
    ("steamh", machines.steam_hiss, "steam_hiss", 14),
    ("sawing", machines.sawing, "sawing", 20),
    ("hammer", machines.hammering, "hammering", 24),
    ("typing_", machines.typing, "typing", 16),
    ("beep", signals.beep, "beep", 20),
    ("morse", signals.morse_code, "morse_code", 16),
    ("sweep", signals.sweep, "synth_fx", 16),
    ("creak", events.door_creak, "door_creak", 16),
    ("glass", events.glass_break, "glass_break", 20),
)


def clip(row: int, number: int) -> tuple[np.ndarray, str]:
    """(samples float32 with a peak of 1, caption) of one clip, 2.6 to 5 s at 16 kHz."""
    rng = np.random.default_rng(1000 * row + number)
    n = int(rng.uniform(2.6, 5.0) * RATE)
    samples, caption = GENERATORS[row][1](rng, n)
    samples = np.nan_to_num(samples)[:n]
    return (samples / np.abs(samples).max()).astype(np.float32), str(caption)
