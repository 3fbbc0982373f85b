"""What torch finds on this machine, as JSON: `python -m worker.engine.probe`. So the parent need not load torch."""

import json
import sys


def main() -> None:
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [torch.cuda.get_device_properties(number) for number in range(count)]
    json.dump({"cuda": [{"name": device.name, "memory": device.total_memory} for device in found]}, sys.stdout)


if __name__ == "__main__":
    main()
