"""Is a batch that comes from several sides at once stored once, over real connections?"""

import threading

import pytest
import requests

from tests.posting import detection

DEADLINE_SECONDS = 30


def race(posts):
    """The answers to functions that are called at the same moment."""
    barrier, answers = threading.Barrier(len(posts)), [None] * len(posts)

    def run(place):
        barrier.wait()
        answers[place] = posts[place]()

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(posts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("clients", [2, 8])
def test_racing_posts_of_one_batch_store_it_once_and_answer_the_same_ids(server, clients):
    def ask(method, path, body=None):
        return requests.request(method, server.url + path, json=body, timeout=DEADLINE_SECONDS)

    camera = ask("POST", "/api/cameras", {"name": "Front", "folder_path": "front"}).json()
    for turn in range(5):
        names = [f"{turn}/{number}" for number in range(200)]
        batch = {"detections": [detection(camera, external_id=name) for name in names]}
        post = lambda batch=batch: ask("POST", "/api/detections", batch)  # noqa: E731
        answers = race([post] * clients)
        assert {answer.status_code for answer in answers} == {201}
        assert len({tuple(answer.json()["ids"]) for answer in answers}) == 1
        assert len(set(answers[0].json()["ids"])) == 200
    assert ask("GET", "/api/detections?limit=1").json()["count"] == 1000


@pytest.mark.parametrize("clients", [2, 8])
def test_racing_posts_of_one_detection_store_it_once(server, clients):
    url = f"{server.url}/api/detections"
    body = {"name": "Front", "folder_path": "front"}
    camera = requests.post(f"{server.url}/api/cameras", json=body, timeout=DEADLINE_SECONDS).json()
    seen = detection(camera, external_id="a")
    answers = race([lambda: requests.post(url, json=seen, timeout=DEADLINE_SECONDS)] * clients)
    codes = sorted(answer.status_code for answer in answers)
    assert codes == [200] * (clients - 1) + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1
