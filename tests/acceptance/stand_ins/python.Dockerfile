# For python:3.13-slim-trixie. Debian's own Python, with the names and the liberties of the official image's.
FROM stand-in/debian
RUN ln -s /usr/bin/python3 /usr/local/bin/python \
    && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
CMD ["python"]
