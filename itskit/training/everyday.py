"""What people call a sound that they ask for: shorter than what its recordings are called.

A recording is "a woman speaking" or "a motorcycle engine revving"; who asks says "voices" or
"motorcycles". The exact words that `words.py` asks for are not among these, so that the evaluation
tells what was understood from what is only repeated.
"""

EVERYDAY = {
    "accordion": "an accordion, accordion music, somebody playing the accordion",
    "acoustic_guitar": "a guitar being played, guitar music, a strummed guitar, somebody playing "
    "the guitar, plucked guitar strings, an unplugged guitar",
    "airplane": "an airplane, a plane flying over, a propeller plane, an aeroplane in the sky",
    "alarm": "an alarm going off, an alarm clock, beeping, a warning signal beeping, alarms",
    "applause": "clapping, people clapping, a crowd applauding, clapping hands",
    "bee_buzz": "buzzing, a buzzing bee, a swarm of bees, bees, an insect buzzing",
    "big_cat_roar": "a roaring lion, a tiger roaring, a big cat's roar, roaring, a growling tiger, "
    "a roar, lions roaring",
    "bird_song": "birdsong, birds singing, birds, a chirping bird, birds chirping, tweeting birds",
    "bubbles": "bubbling, bubbles rising in water, bubbling water, something bubbling",
    "car_engine": "a car, a car driving, an engine running, a motor, a car starting, car engines",
    "car_horn": "a car horn, honking, cars honking, a honking car, beep beep",
    "cat_meow": "a cat, meowing, a mewing cat, a kitten mewing, cats meowing, miaow",
    "cello": "a cello, cello music, somebody playing the cello, a bowed cello",
    "choir": "a choir, choral music, people singing together, a chorus of voices, choirs",
    "church_bell": "church bells, a church bell, bells tolling, bells ringing, a big bell",
    "clock_tick": "a ticking clock, ticking, tick tock, a watch ticking, clocks ticking",
    "cow_moo": "a cow, mooing, cows, a mooing cow, cattle mooing, moo",
    "cricket_chirp": "crickets, a cricket chirping, chirping insects, a summer night",
    "crow_caw": "a crow, crows, a cawing crow, cawing, a raven croaking",
    "cuckoo_call": "a cuckoo, cuckoo, a cuckoo's call, a cuckoo in the woods",
    "diesel_engine": "a diesel motor, a diesel engine running, a truck, a bus engine, a lorry, "
    "an idling truck, diesel engines",
    "dog_bark": "a dog, barking, a barking dog, dogs barking, woof, dogs",
    "door_creak": "a creaking door, a squeaky door, creaking, an old door opening, creaking "
    "hinges, a door squeaking",
    "drum_kit": "a drum kit, drumming, a drummer, a drum beat, somebody playing drums, a drum solo",
    "electric_guitar": "electric guitar music, a rock guitar, somebody playing the electric "
    "guitar, an electric guitar being played, a distorted guitar",
    "elephant_trumpet": "an elephant, a trumpeting elephant, elephants, an elephant's call",
    "explosion": "explosions, something exploding, a bomb exploding, a boom, an exploding bomb",
    "fire_crackle": "fire, a crackling fire, a campfire, flames crackling, a fireplace, a burning "
    "fire",
    "fireworks": "a firework, fireworks going off, rockets bursting, fireworks in the sky",
    "flute": "a flute, flute music, somebody playing the flute, flutes",
    "footsteps": "steps, walking, a person's footsteps, walking feet",
    "frog_croak": "a frog, frogs, a croaking frog, croaking, frogs in a pond",
    "glass_break": "breaking glass, shattering glass, a window breaking, a glass being smashed",
    "gong": "gongs, a gong being hit, a temple gong, a ringing gong",
    "gunshot": "a gun, gunfire, shots, a gun being fired, shooting, a pistol shot",
    "hammering": "a hammer, somebody hammering, a hammer hitting a nail, hammer blows, a smith at "
    "work",
    "hand_bell": "a hand bell, a small bell, a bell being rung, a little bell ringing, hand bells, "
    "a bell tinkling",
    "harp": "a harp, harp music, somebody playing the harp, plucked harp strings",
    "hawk_screech": "a hawk, an eagle, a screeching hawk, a bird of prey screeching, a hawk's cry, "
    "an eagle's cry",
    "heartbeat": "a heartbeat, a beating heart, heartbeats, a pulse, a heart",
    "helicopter": "helicopters, helicopter rotors, a helicopter flying by, a rotor",
    "hen_cluck": "a hen, a chicken, chickens, clucking, hens clucking, a clucking chicken",
    "horse_gallop": "a galloping horse, hooves, galloping, horses galloping, a horse running",
    "horse_neigh": "a neighing horse, neighing, a horse's neigh, a whinny, a horse whinnying",
    "jet": "a jet plane, a jet flying over, a jet engine roaring, jets, a fighter jet",
    "laughter": "laughter, laughing, somebody laughing, a laughing crowd, a laugh, people giggling",
    "morse_code": "morse, a morse signal, a telegraph beeping, beeps in morse code",
    "motorcycle": "a motorbike engine, motorcycles, a motorcycle driving, a motorcycle engine, a "
    "revving motorcycle, a biker passing",
    "music_box": "a music box playing, music boxes, a tinkling music box, a wind-up music box",
    "ocean_waves": "waves, the sea, the ocean, waves on a beach, breaking waves, the seashore",
    "organ": "an organ, organ music, a church organ, somebody playing the organ, an organ playing",
    "owl_hoot": "an owl, hooting, a hooting owl, owls, owls hooting at night, hoo hoo",
    "phone_ring": "a ringing telephone, a phone, a phone ringing, a telephone, ringing phones",
    "piano": "a piano, piano music, somebody playing the piano, piano notes, a grand piano",
    "pig_oink": "a pig, oinking, pigs oinking, a grunting pig, pigs grunting, an oinking pig, oink",
    "race_car": "a race car passing, a racing car, race cars, a race car engine, a formula one "
    "car, motor racing",
    "rain": "rain, rainfall, a rain shower, raindrops, it is raining, pouring rain",
    "rooster_crow": "a rooster, a crowing rooster, a cock crowing, cock-a-doodle-doo, roosters",
    "sawing": "a saw, sawing, a hand saw, somebody sawing, a saw cutting wood",
    "saxophone": "a saxophone, saxophone music, a sax, somebody playing the saxophone, jazz sax",
    "sheep_bleat": "a sheep, sheep, a bleating sheep, bleating, sheep baaing, baa",
    "ship_horn": "a ship's horn, a boat horn, ship horns, a ship's horn blowing, a ferry's horn, a "
    "horn in the harbour",
    "singing": "singing, a singer, a voice singing, a person singing a song, a song being sung, a "
    "woman singing",
    "siren": "sirens, a police siren, an ambulance siren, a fire engine's siren, a wailing siren",
    "speech": "people speaking, talking, voices, somebody talking, a conversation, a voice "
    "talking, speech",
    "splash": "a splash of water, splashing, something falling into water, splashing water",
    "steam_hiss": "steam, steam hissing, a hiss, hissing, escaping steam, a hiss of steam",
    "steam_train": "a steam locomotive, a steam engine chuffing, steam trains, a chuffing train, "
    "choo choo",
    "sword_clash": "a sword fight, clashing swords, swords, blades clashing, fencing",
    "thunder": "a thunderclap, rolling thunder, rumbling thunder, a thunderstorm, thunder and "
    "lightning",
    "tom_drum": "a tom, tom-toms, tom drums, a tom drum being hit, a deep drum",
    "train": "a train, a passing train, trains, a railway, a train on its rails, a train going by",
    "train_whistle": "a train's whistle, a train blowing its whistle, train whistles, a locomotive "
    "whistling",
    "trombone": "a trombone, trombone music, somebody playing the trombone, trombones",
    "trumpet": "a trumpet, trumpet music, somebody playing the trumpet, trumpets, a fanfare",
    "typing": "typing, a keyboard, somebody typing, a typewriter, keys being typed",
    "violin": "a violin, violin music, somebody playing the violin, a fiddle, violins",
    "water_drip": "dripping water, drops, a dripping tap, dripping, drops of water, drip drip",
    "water_stream": "a stream, flowing water, a river, running water, water flowing",
    "waterfall": "waterfalls, falling water, water rushing down, a great waterfall",
    "whistle": "whistling, a whistled tune, a person whistling, somebody whistling a tune",
    "wind": "wind, the wind, a storm wind, wind howling, blowing wind, a gust of wind",
    "wind_chimes": "chimes, a wind chime, wind chimes in a breeze, tinkling chimes",
    "wolf_howl": "a wolf, a howling wolf, wolves howling, howling, a howl at the moon",
    "xylophone": "xylophone music, somebody playing the xylophone, a marimba, xylophones",
}
EVERYDAY = {kind: tuple(words.split(", ")) for kind, words in EVERYDAY.items()}
