"""Names that a person can say, for runs and models without one: an adjective, an animal and a number."""

from __future__ import annotations

ADJECTIVES = """
    amber ample brave brisk calm clear crisp deft eager early even fair fleet fond frank free
    fresh gentle glad grand green hale happy hardy keen kind light lively lucid mellow merry
    mild neat noble patient plain proud quick quiet rapid ready sharp silent silver simple smart
    solid spry steady sunny swift tidy true vivid warm wise
"""
ANIMALS = """
    badger beaver bison bittern crane curlew dunlin eagle egret falcon ferret finch fox gannet
    grebe hare heron hound ibex ibis jackdaw jay kestrel kite lark linnet lynx magpie marten
    merlin mole newt nightjar otter owl oyster petrel pike pipit plover puffin quail raven robin
    rook seal shrew skua snipe stoat stork swan swift tern thrush tit toad trout turtle vole
    wagtail weasel wren
"""


def run_name(run_id: str) -> str:
    """The name of a run that nobody named, from its id (32 hex digits)."""
    adjectives, animals = ADJECTIVES.split(), ANIMALS.split()
    number, adjective = divmod(int(run_id, 16), len(adjectives))
    number, animal = divmod(number, len(animals))
    return f"{adjectives[adjective]}-{animals[animal]}-{number % 1000}"
