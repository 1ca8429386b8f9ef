"""Sound as a picture and back, and how loud it is: arrays in, arrays out.

`mel` paints sounds, `griffin_lim` plays pictures, `loudness` brings all to one level. From outside
the package they are known as `itskit.spectrogram`.
"""
