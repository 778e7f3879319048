"""Reports what scans found: in reports, in the overview, and on the widget of the console.

  pipeline                      one batch of messages: receive, process, publish
  image_processor               one image: read its scan, compare it, decide whether to report it, remember it
  intake                        what came in, and what ECR knows of it
  comparison                    what changed; it calls no service
  reports | overviews | widget  what people read; they know nothing of each other

It imports nothing of the scanners. What they did, it reads from the memory table, and the images scanner sends it a
message about each image whose deadline has passed.
"""
