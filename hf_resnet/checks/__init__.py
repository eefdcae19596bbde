"""What is wrong with the pictures of a data set: one file a check.

`survey.survey` looks at every picture once, `seen.see` puts them through a network, and each check
of CHECKS (in `all_checks`) makes findings out of the two. To add a check, write a file with a
`find(survey)` beside the others and name it there. Nothing is imported here, so that the cheap
checks of `finetune` come without the index and its like.
"""
