"""All mutants, and the rule that each name is given once."""

from mutants.archiving import MUTANTS as ARCHIVING
from mutants.asking import MUTANTS as ASKING
from mutants.before_the_debit import MUTANTS as BEFORE_THE_DEBIT
from mutants.buying import MUTANTS as BUYING
from mutants.comparing import MUTANTS as COMPARING
from mutants.crediting_back import MUTANTS as CREDITING_BACK
from mutants.finding_out import MUTANTS as FINDING_OUT
from mutants.giving_back import MUTANTS as GIVING_BACK
from mutants.lock_and_fence import MUTANTS as LOCK_AND_FENCE
from mutants.mutant import Mutant
from mutants.redriving import MUTANTS as REDRIVING
from mutants.selling import MUTANTS as SELLING
from mutants.sending import MUTANTS as SENDING
from mutants.telling import MUTANTS as TELLING
from mutants.writing import MUTANTS as WRITING
from mutants.writing_again import MUTANTS as WRITING_AGAIN

MUTANTS: tuple[Mutant, ...] = (
    *BEFORE_THE_DEBIT,
    *LOCK_AND_FENCE,
    *SENDING,
    *FINDING_OUT,
    *TELLING,
    *GIVING_BACK,
    *SELLING,
    *BUYING,
    *CREDITING_BACK,
    *WRITING,
    *WRITING_AGAIN,
    *ASKING,
    *COMPARING,
    *ARCHIVING,
    *REDRIVING,
)
