"""What notices say, in other languages: from the templates to the files of the translators, and
from those to what calsync reads. ``make translations``; a test tells when it is due."""
