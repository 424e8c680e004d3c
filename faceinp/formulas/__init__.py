"""Formulas as functions, one each.

``losses`` has the losses of both papers in torch, with their numbers; ``metrics`` has the metrics of the tables in
NumPy: PSNR, SSIM, MAE, Frechet and kernel distances, and bootstrap intervals.
"""
