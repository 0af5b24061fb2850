"""The operator's command line, `sudare`: one file a group of commands. Owns texts and exit codes, no rule.

At the top of its file a command imports only what its options need; what its body works with is imported in the
body, through `Services` or there. So `--help` of every command answers without database, engine or web server.

Exit codes: 0 done, 1 refused or found wanting, 2 wrong use (`deid` adds 3: no solution). Every refusal is a
`privacy.refusal.Refusal`, which the group of all commands turns into a sentence.
"""
