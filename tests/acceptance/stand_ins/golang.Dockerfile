# For golang:1.27-trixie. Go is that of the tests' Python package.
FROM stand-in/debian
COPY . /usr/local/go/
ENV GOPATH=/go \
    GOTOOLCHAIN=local \
    PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
RUN mkdir --parents --mode=1777 /go/src /go/bin
WORKDIR /go
