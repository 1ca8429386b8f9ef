"""Which words of a prompt the pocket pair has learned nothing about.

`vocabulary.json` lists what its captions name: the table's own words, without any of training's
code. A word is known if it is there, in any usual form, or if MiniLM places it near one that is.
"""

import json
import re
from functools import cache, cached_property
from pathlib import Path

import torch

FILE = Path(__file__).parent / "vocabulary.json"
# Cosine of two words' sentences. Of 23 made-up words the nearest to any word of the vocabulary is
# at 0.53 ("xylotheque", a xylophone), at 0.51 without it; "fortress" and "hound" are at 0.63 and
# 0.65 from castle and dog, 12 of 20 pictures' synonyms in `training/words.py` above this.
NEAR = 0.58

# Words that say how, how many, where and when: whatever is described by them, nothing is missing.
ORDINARY = frozenset(
    """
    a an the this that these those some any no not none each every all both few many much more most
    several various other another same such only just also too very quite rather really so as than i
    you he she it we they me him her them my your his its our their who what which somebody someone
    something anybody anything nobody nothing everything everyone people person man woman men women
    child children one two three four five six seven eight nine ten eleven twelve twenty hundred
    thousand dozen hundreds first second third last once twice single double pair half whole is are
    was were be been being am do does did has have had can could may might must shall should will
    would and or but if then because while when where how why there here of in on at by to from for
    with without into onto over under above below between among through across along around against
    behind beside besides near next inside outside within beyond before after during until up down
    out off away toward towards upon about like per via please show see hear listen make made draw
    drawn painted paint painting play played playing going coming getting go come get let want look
    looking looks sound sounds sounding noise noises seen heard hit used put kept held set done
    makes making give gives given take taken called big small large little tiny huge giant enormous
    great grand massive tall short long high low wide narrow thick thin deep shallow fat slim old
    new young ancient modern medieval antique vintage retro classic classical traditional
    contemporary futuristic gothic victorian baroque renaissance romantic rural urban wild tame dark
    bright light pale dim glowing shining shiny shimmering sparkling gleaming radiant black white
    grey gray red green blue yellow orange purple pink brown golden gold silver bronze copper colour
    color colours colors coloured colored colourful colorful monochrome grayscale greyscale sepia
    duotone rainbow wooden wood stone iron steel metal metallic glass crystal brick marble paper
    leather clay rustic rusty dusty old-fashioned beautiful pretty lovely gorgeous handsome ugly
    cute sweet charming elegant graceful noble proud majestic magnificent splendid glorious epic
    dramatic mighty powerful strong weak fierce angry happy sad joyful cheerful merry lonely alone
    solitary gloomy moody melancholic melancholy eerie spooky scary creepy haunted mysterious
    mystical mystic magic magical enchanted fantastic fantasy dreamy dreamlike surreal whimsical
    funny silly strange weird odd curious peaceful calm quiet silent serene tranquil soft softly
    gentle gently loud loudly harsh shrill mellow faint faintly muffled noisy clear clearly crisp
    clean dirty rough smooth sharp blurry blurred fuzzy fluffy furry shaggy hairy curly round square
    flat curved straight twisted crooked broken cracked crumbling ruined weathered abandoned
    forgotten empty full open closed hot cold warm cool wet dry frozen icy snowy rainy stormy sunny
    cloudy foggy misty hazy windy windswept moonlit sunlit starlit candlelit backlit towering
    snowcapped cosy cozy creaky squeaky fast slow quick quickly slowly steady steadily sudden
    suddenly sometimes always often again continuous continuously constant constantly repeated
    repeatedly rhythmic rhythmically regular regularly melodious melodic harmonious thunderous
    resonant reverberant echoing distant faraway far close closer nearby remote left right middle
    center centre centered centred top bottom front back side edge corner background foreground
    horizon scene view landscape portrait closeup close-up profile silhouette silhouetted shadow
    shadows lighting day night dawn dusk morning noon afternoon evening midnight twilight sunrise
    sunset today spring summer autumn fall winter january february march april june july august
    september october november december monday tuesday wednesday thursday friday saturday sunday
    christmas easter halloween standing sitting lying sleeping resting waiting walking running
    jumping flying swimming floating moving turning rising falling growing smiling dancing eating
    drinking grazing watching hiding style styled stylized stylised art artistic artwork artist
    image picture pictures photo photograph photography photographic photorealistic realistic
    realism abstract minimal minimalist minimalistic simple plain detailed intricate ornate
    decorative elaborate fine quality masterpiece best trending artstation bokeh cinematic render
    rendered rendering resolution hd uhd hdr contrast drawing illustration sketch lithograph etching
    woodcut linocut engraving charcoal pastel crayon pencil ink chalk watercolour watercolor oil
    acrylic gouache fresco mosaic cartoon comic anime manga pixel icon logo emblem symbol sign stamp
    print poster sticker tattoo clipart clip doodle outline contour shape pattern texture border
    frame card postcard impressionist impressionistic expressionist cubist surrealist japanese
    chinese european american english french german italian recording recorded audio field effect
    effects sample tape track stereo mono live acoustic
    """.split()
)
# What makes another word of one, and what to put in its place.
ENDINGS = (
    *(("ies", "y"), ("ves", "f"), ("ves", "fe"), ("es", ""), ("s", ""), ("'s", ""), ("s'", "")),
    *(("ing", ""), ("ing", "e"), ("ed", ""), ("ed", "e"), ("er", ""), ("est", ""), ("ly", "")),
    *(("y", ""), ("y", "e"), ("ish", ""), ("less", ""), ("ful", ""), ("like", ""), ("ous", "")),
)
_WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
# "A dog and a zebra" are two things: that one is known says nothing of the other.
_AND = re.compile(r"(?:\band\b|&|\+)\s*(?=(?:an?|the|some|two|three|four|many)\b)")


def forms(word: str) -> set[str]:
    """The word, and what it may be a form of: "towers" → "tower", "rusty" → "rust"."""
    found = {word}
    for ending, instead in ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2:
            found.add(stem + instead)
            if not instead and stem[-1] == stem[-2]:
                found.add(stem[:-1])  # running, foggy
    return found


class Vocabulary:
    """What one of the models ("image" or "sound") has learned words for.

    places     texts → where they are (N, D), of unit length
    is_word    word → whether the text encoder has it in one piece, as it has common words
    """

    def __init__(self, name: str, places, is_word):
        lists = json.loads(FILE.read_text(encoding="utf-8"))
        self._described = ORDINARY | set(lists["phrases"])
        self._words, self._said = {}, {}  # form of a word → the word
        for kind, known in (("sound", self._said), ("image", self._said), (name, self._words)):
            said = " ".join([*lists[kind]["things"], *lists[kind]["words"]]).split()
            for word in said:
                if word not in self._described and known.keys().isdisjoint(forms(word)):
                    known |= dict.fromkeys(forms(word), word)
        self.things = lists[name]["things"]
        self._place, self._is_word = places, is_word
        self.nearest = cache(self._nearest)

    def unknown(self, prompt: str) -> dict[str, str]:
        """The words of `prompt` that are far from all that is known → the nearest known thing.

        A common word beside a known thing describes it ("a castle in Spain") and is not counted.
        """
        found: dict[str, str] = {}
        for part in _AND.split(prompt.lower().replace("’", "'")):
            words = [word for word in _WORD.findall(part) if not self._describes(word)]
            far = [word for word in words if not self._is_known(word)]
            if len(far) < len(words):  # something is known
                far = [word for word in far if not self._is_common(word)]
            found |= {word: self.nearest(word)[0] for word in far}
        return found

    def _describes(self, word: str) -> bool:
        pieces = [forms(piece) for piece in word.split("-")]
        return all(not self._described.isdisjoint(piece) for piece in pieces)

    def _is_known(self, word: str) -> bool:
        pieces = (word, *word.split("-"))
        if any(not self._words.keys().isdisjoint(forms(piece)) for piece in pieces):
            return True
        return self.nearest(word)[1] >= NEAR

    def _is_common(self, word: str) -> bool:
        pieces = [forms(piece) for piece in word.split("-")]
        return all(
            any(map(self._is_word, p)) or not self._said.keys().isdisjoint(p) for p in pieces
        )

    def _nearest(self, word: str) -> tuple[str, float]:
        """The thing that is nearest to a word, and the cosine to the nearest of all known words."""
        things, all_of_it = self._all_places
        place = self._place([word])[0]
        return self.things[int((things @ place).argmax())], float((all_of_it @ place).max())

    @cached_property
    def _all_places(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Of the things, and of things and words. Made when a word is met that is not listed."""
        places = self._place([*self.things, *dict.fromkeys(self._words.values())])
        return places[: len(self.things)], places
