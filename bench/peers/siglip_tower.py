"""The image tower of MedGemma and MedSigLIP (SigLIP-So400m/14) with random weights, for the peers."""

import torch
from transformers import SiglipVisionConfig, SiglipVisionModel

SIZES = {"siglip-896": 896, "medsiglip-448": 448}


def tower(shape, dtype):
    """The tower without a pooling head, weights of deviation 0.02 in `dtype`."""
    config = SiglipVisionConfig(hidden_size=1152, intermediate_size=4304, num_hidden_layers=27, num_attention_heads=16,
                                image_size=SIZES[shape], patch_size=14, vision_use_head=False)
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    with torch.device("meta"):
        model = SiglipVisionModel(config)
    model = model.to_empty(device="cpu").to(dtype)
    for parameter in model.parameters():
        parameter.data.copy_((torch.randn(parameter.shape) * 0.02).to(dtype))
    embeddings = (model.vision_model if hasattr(model, "vision_model") else model).embeddings
    embeddings.position_ids = torch.arange(embeddings.num_positions)[None]
    return model.eval()
