# docker build -t kdcourse .
# docker run --rm -p 127.0.0.1:8888:8888 -v kdcourse:/kept kdcourse
#
# Then open the address with the token that it prints. The course belongs to root; a learner's copies and progress are in
# the volume, and outlive the container.
FROM python:3.12-slim
WORKDIR /course
COPY . .
RUN python tools/install.py /opt/kdcourse lab \
    && useradd --uid 1000 --create-home learner \
    && install --directory --owner=learner /kept && mkdir -p /etc/jupyter \
    && echo '{"ServerApp": {"ip": "0.0.0.0"}}' > /etc/jupyter/jupyter_server_config.json
ENV PATH="/opt/kdcourse/bin:$PATH" KDCOURSE_HOME=/kept
USER 1000
VOLUME /kept
EXPOSE 8888
CMD ["kdcourse", "lab", "--no-browser"]
