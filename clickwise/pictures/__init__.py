"""Pictures of items: what a feed may bring, and how it becomes a vector beside the text's.

`files` is looked at by every door, so it needs numpy alone until a picture comes; `reader` says
what is stored; `encoder` is the site's own model.
"""
