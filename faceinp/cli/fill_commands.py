"""The commands that fill and find: they call the library with parsed arguments, and print.

Each command imports what it needs when it runs, as in ``commands.py``.
"""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import faceinp
from faceinp.cli.arguments import UsageError
from faceinp.cli.terminal import Bar, say
from faceinp.errors import FaceinpError, NothingFoundError


def fill(args: argparse.Namespace) -> None:
    _check_output(args.out, args.photo)
    _check_mask_hole(args)
    options = dict(args.set or ())
    options |= {"fast": True} if args.fast else {}
    options |= {name: value for name in ("iterations", "mode") if (value := getattr(args, name)) is not None}
    photo, mask = args.photo, args.mask
    face = _face_location(args)
    if args.page != 1 or args.mask_from_alpha or args.preset is not None:
        photo = faceinp.read_photo(args.photo, page=args.page)
    if args.mask_from_alpha:
        from faceinp.mask import erased

        photo, mask = erased.mask_from_alpha(photo)
    if args.preset is not None:
        mask = faceinp.make_preset(args.preset, photo, seed=args.seed, face=face, turn=args.turn)
    result = faceinp.fill(
        photo,
        mask,
        find=_find(args),
        engine=faceinp.load_engine(args.engine, options),
        seed=args.seed,
        face=face,
        turn=args.turn,
        require_face=args.require_face,
        mask_hole=args.mask_hole,
        grow=args.grow,
        blending=args.blend,
        symmetry=args.symmetry,
        references=args.references,
        reference_check=args.reference_check,
        progress=None if args.quiet else Bar("filling"),
    )
    losses = result.save(args.out)
    if args.quiet:
        return
    for note in (*result.notes, *losses):
        about_find = args.find is not None and note.startswith(f"{args.find.replace('-', ' ')} on ")
        say(f"{'found' if about_find else 'note'}: {note}")
    print(
        f"{args.out}: filled by {result.engine} ({result.runtime}) in {sum(result.timings.values()):.1f} s, "
        f"known pixels changed: {result.changed_pixels:,} of {result.known_pixels:,}"
    )


def _check_output(out: Path, photo: Path) -> None:
    """Raise errors of the output's name before the work, not after it."""
    from faceinp.photo import saving

    if out.exists() and photo.exists() and out.samefile(photo):
        raise UsageError(f"{out} is the photo itself and would be overwritten. Choose another name for the result.")
    saving.output_format(out)


def _check_mask_hole(args: argparse.Namespace) -> None:
    """Raise UsageError for a --mask-hole without a mask."""
    if args.mask_hole != "auto" and (args.preset is not None or args.mask_from_alpha or args.find is not None):
        raise UsageError("--mask-hole applies to --mask, which is not used here. Leave it out.")


@contextmanager
def _as_usage() -> Iterator[None]:
    """Turn the library's errors into UsageError, for checks of the arguments alone."""
    try:
        yield
    except FaceinpError as error:
        raise UsageError(str(error)) from error


def _face_location(args: argparse.Namespace) -> "faceinp.FaceLocation | None":
    with _as_usage():
        if args.aligned:
            return faceinp.FaceLocation.aligned()
        if args.face is not None:
            return faceinp.FaceLocation.number(args.face)
        if args.box is not None:
            return faceinp.FaceLocation.box(*args.box)
        return None if args.points is None else faceinp.FaceLocation.points(args.points)


def _find(args: argparse.Namespace) -> "faceinp.Find | None":
    """The ``--find`` of a command that fills."""
    if args.find is None:
        if args.sensitivity is not None or args.include:
            raise UsageError("--sensitivity and --include need --find. Add it.")
        return None
    with _as_usage():
        return faceinp.Find(args.find, 0.5 if args.sensitivity is None else args.sensitivity, args.include)


def find(args: argparse.Namespace) -> None:
    from faceinp.find import overlay, propose
    from faceinp.mask import mask_pictures
    from faceinp.photo import saving

    if args.overlay == args.out:
        raise UsageError(f"{args.out} cannot be both mask and overlay. Choose two names.")
    if args.out.name and not args.out.is_dir() and args.out.suffix.lower() != ".png":
        raise UsageError(f"The mask must be a PNG, got {args.out}. Name it {args.out.with_suffix('.png')}.")
    for file in filter(None, (args.out, args.overlay)):
        _check_output(file, args.photo)
    with _as_usage():
        wanted = faceinp.Find(args.kind, args.sensitivity, args.include)
    face = _face_location(args)
    if args.kind == "damage" and (face is not None or args.turn != "auto"):
        raise UsageError(
            "--kind damage does not use a face's location or --turn. Leave them out, or choose another kind."
        )
    photo = faceinp.read_photo(args.photo, page=args.page)
    proposal = propose(photo, wanted, face=face, turn=args.turn)
    with _stale_files_named(args.out, args.overlay):
        mask = proposal.as_mask()
    saving.write_file(args.out, mask_pictures.encode(mask.hole))
    if args.overlay is not None:
        tinted = overlay.tinted(photo.pixels, proposal)
        saving.write(args.overlay, faceinp.read_photo(tinted), tinted, mask.hole)
        say(f"{args.overlay}: {overlay.legend(proposal)}")
    for note in proposal.notes:
        say(f"note: {note}")
    print(f"{args.out}: {mask.about}")


@contextmanager
def _stale_files_named(*files: Path | None) -> Iterator[None]:
    """The error that nothing was found names those of ``files`` that an earlier command left."""
    try:
        yield
    except NothingFoundError as error:
        stale = [str(file) for file in files if file is not None and file.exists()]
        if not stale:
            raise
        unchanged = "was not changed" if len(stale) == 1 else "were not changed"
        raise NothingFoundError(f"{error} {' and '.join(stale)} existed before and {unchanged}.") from error


def batch(args: argparse.Namespace) -> None:
    from faceinp.batch import run, worker

    _check_mask_hole(args)
    values = {field.name: getattr(args, field.name) for field in fields(worker.Settings) if field.name in args}
    values |= {"find": _find(args), "preset": args.preset or "", "judge": "" if args.judge == "none" else args.judge}
    settings = worker.Settings(
        **values, options=dict(args.set or ()), from_alpha=args.mask_from_alpha, blending=args.blend
    )
    counted = run.run(
        args.source,
        settings,
        masks=args.masks,
        faces=args.faces,
        references=args.references,
        workers=args.workers,
        ray=args.ray,
        retry=args.retry,
        again=args.again,
    )
    if clean := counted[worker.NOTHING_FOUND]:
        say(f"{clean:,} of {counted.total():,} photos were not filled: nothing was found in them")
    if failed := counted[worker.FAILED]:
        say(f"{failed:,} of {counted.total():,} photos failed; see `{args.out}/manifest`")
