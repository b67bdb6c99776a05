"""What one client may send or make large, each bound with the reason for its number.

Bounds that an operator sets are in `configs/settings.py`, those of one image in `encoders/images`. `docs/bounds.md`
lists all of them.
"""

# A JSON body without an image. The largest in order is a collection with 16 KB of metadata, which is 48 KB from a
# client that writes nothing but ASCII; an embedding is 13 KB.
JSON_BYTES = 64 * 2**10

# The question which of 1,000 files a collection lacks: a digest of 64 digits and a person's id of up to 64 letters for
# each, with names and quotes 170 bytes, and room for spaces.
PLAN_BYTES = 256 * 2**10

# A part of an archive: 100 faces, each with 2.7 KB of embedding and up to 20 KB of crop in base64, or as many persons.
ARCHIVE_BYTES = 4 * 2**20

# What is left of a JSON body once its images are lifted out: 100 external embeddings are 1.2 MB, and 100 images that
# are too short to be lifted 1.6 MB.
JSON_REST_BYTES = 4 * 2**20

# Values of JSON, counted as its commas, colons and opening brackets, those in texts too: one takes up to 100 bytes
# once parsed. 100 external embeddings have 51,200, and 16 KB of metadata 16,384 at most.
JSON_VALUES = 120_000

# Members of a JSON object on top, and fields of a form. No operation knows more than ten; each that is unknown would
# cost pydantic an error of its own.
MEMBERS = 32

# Mistakes in one body from which on they are counted instead of listed: a list entry is 1 KB and 4 us.
MISTAKES = 64

# Text of one form field: metadata of 16 KB, with room for escapes.
FIELD_BYTES = 64 * 2**10

# Text of one external embedding in a form: 512 numbers of 17 digits with sign, exponent and comma are 13 KB, and as
# much again for spaces and line breaks. Twenty of them, the images that an enrolment has by default, are 512 KB.
EMBEDDING_BYTES = 25 * 2**10 + 600

# Files of a form: above any deployment's own `max_images`, so that this one is met first and can say how many came.
FILES = 200

# A body may take as long as it needs while it moves: each step of this size, or the rest, has `body_timeout_s`. At the
# default of 10 s that is 20 KB a second; a phone on 1.2 Mbit a second sends 150.
BODY_STEP_BYTES = 200_000

# A tenant's share of `max_held_bytes`: one that fills its share keeps nobody else out.
TENANT_SHARE = 0.5

# Candidates in the answer about a group photo, of all its faces together: 100 faces with 10 each. 10,000 held the
# ingress's event loop for 146 ms; with 16 KB of metadata each, 1,000 are 16 MB.
CANDIDATES = 1_000
