"""What other parts are told of teams."""

from django.dispatch import Signal

# Before a team is deleted, as `team`: whoever still keeps something of its raises `Refused`.
team_ends = Signal()
