"""The settings of "Images that Sound" (Chen et al. 2024, arXiv 2405.12221), for any pair."""

PAPER = {
    "num_inference_steps": 100,
    "solver": "ddim",
    "spacing": "leading",
    "image_scale": 10.0,
    "sound_scale": 10.0,
    "image_weight": 0.5,
    "sound_weight": 0.5,
    "image_start": 0.1,
    "sound_start": 0.0,
    "crop": True,
}
