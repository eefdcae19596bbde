"""The checks by name, in the order in which they are shown: what is surely wrong comes first."""

from hf_resnet.checks import (
    class_counts,
    contradictions,
    duplicates,
    leaks,
    look_alikes,
    odd_modes,
    odd_shapes,
    outliers,
    shift,
    similar_names,
    suspicious_labels,
    unlabelled,
    unreadable,
)
from hf_resnet.checks.finding import Check

CHECKS: dict[str, Check] = {
    "unreadable": Check(
        "Files that cannot be read",
        "mend them or take them away; a run passes over them",
        "always 1",
        unreadable.find,
        left_out=True,
    ),
    "unlabelled": Check(
        "Pictures without a class",
        "give them one, or take them away; a run passes over them",
        "always 1",
        unlabelled.find,
        left_out=True,
    ),
    "leaks": Check(
        "The same picture in two splits",
        "take it out of the training pictures, or the figures are too good",
        "how much alike the two are; 1: the same bytes",
        leaks.find,
        left_out=True,
    ),
    "contradictions": Check(
        "The same picture under two classes",
        "keep it where it belongs, and take the other away",
        "how much alike the two are; 1: the same bytes",
        contradictions.find,
        left_out=True,
    ),
    "duplicates": Check(
        "The same picture again",
        "one is enough",
        "how much alike the two are; 1: the same bytes",
        duplicates.find,
        left_out=True,
    ),
    "suspicious_labels": Check(
        "Labels that are probably wrong",
        "look at each: mend the wrong ones, keep the odd ones",
        "1 - the chance of the label, to a head that did not see the picture",
        suspicious_labels.find,
        needs_network=True,
        left_out=True,
    ),
    "similar_names": Check(
        "Classes that may be one",
        "put the pictures of both into one folder, or name them less alike",
        "1: named alike but for capitals, spaces or a plural; 0.5: a letter apart",
        similar_names.find,
    ),
    "class_counts": Check(
        "Classes with few pictures",
        "take more pictures of these",
        "how many times too small the class is, or the largest over the smallest",
        class_counts.find,
    ),
    "look_alikes": Check(
        "Pictures that look nearly the same",
        "keep pictures of one scene in one split",
        "the cosine of their features",
        look_alikes.find,
        needs_network=True,
    ),
    "outliers": Check(
        "Pictures like no other",
        "look whether they belong here",
        "how many usual spreads beyond the usual distance",
        outliers.find,
        needs_network=True,
    ),
    "shift": Check(
        "Splits that show other pictures",
        "measure on pictures like those the model will meet",
        "area under the ROC curve of telling the splits apart; 0.5: alike",
        shift.find,
        needs_network=True,
    ),
    "odd_shapes": Check(
        "Pictures of an odd shape",
        "look whether anything can be seen in them",
        "how many times smaller or narrower than usual",
        odd_shapes.find,
    ),
    "odd_modes": Check(
        "Colours stored otherwise",
        "see that not one class alone has them",
        "the share of the pictures that are stored otherwise",
        odd_modes.find,
    ),
}
