"""Other answers to lab 04, as students may write them. Read by tests/test_labs.py; `tools/labs.py` says how."""


# RIGHT quantize: row by row
def quantize(x, *, levels):
    grid = torch.linspace(0, 1, levels)
    return grid[(x[..., None] - grid).abs().argmin(-1)]


def k_winners(x, *, share):
    result = torch.zeros_like(x)
    for image, kept in zip(x, result):
        count = max(1, round(share * image.numel()))
        last = image.flatten().sort(descending=True).values[count - 1]
        kept[image >= last] = image[image >= last]
    return result


def place(x, *, room):
    pages = []
    for image in x:
        top, left = int(torch.randint(0, room + 1, ())), int(torch.randint(0, room + 1, ()))
        pages.append(F.pad(image, (left, room - left, top, room - top)))
    return torch.stack(pages)


# RIGHT quantize: by other means, as float64, list or NumPy
def quantize(x, *, levels):
    return torch.floor(x.double() * (levels - 1) + 0.5) / (levels - 1)


def k_winners(x, *, share):
    rows = x.reshape(len(x), -1)
    order = rows.argsort(1, descending=True).argsort(1)
    return (rows * (order < max(1, round(share * rows.shape[1])))).reshape(x.shape).tolist()


def place(x, *, room):
    import random

    page = F.pad(x, (0, room, 0, room))
    moved = [page[i].roll((random.randint(0, room), random.randint(0, room)), (1, 2)) for i in range(len(x))]
    return torch.stack(moved).numpy()


# RIGHT k_winners: row by row
def quantize(x, *, levels):
    grid = torch.linspace(0, 1, levels)
    return grid[(x[..., None] - grid).abs().argmin(-1)]


def k_winners(x, *, share):
    result = torch.zeros_like(x)
    for image, kept in zip(x, result):
        count = max(1, round(share * image.numel()))
        last = image.flatten().sort(descending=True).values[count - 1]
        kept[image >= last] = image[image >= last]
    return result


def place(x, *, room):
    pages = []
    for image in x:
        top, left = int(torch.randint(0, room + 1, ())), int(torch.randint(0, room + 1, ()))
        pages.append(F.pad(image, (left, room - left, top, room - top)))
    return torch.stack(pages)


# RIGHT k_winners: by other means, as float64, list or NumPy
def quantize(x, *, levels):
    return torch.floor(x.double() * (levels - 1) + 0.5) / (levels - 1)


def k_winners(x, *, share):
    rows = x.reshape(len(x), -1)
    order = rows.argsort(1, descending=True).argsort(1)
    return (rows * (order < max(1, round(share * rows.shape[1])))).reshape(x.shape).tolist()


def place(x, *, room):
    import random

    page = F.pad(x, (0, room, 0, room))
    moved = [page[i].roll((random.randint(0, room), random.randint(0, room)), (1, 2)) for i in range(len(x))]
    return torch.stack(moved).numpy()


# RIGHT place: row by row
def quantize(x, *, levels):
    grid = torch.linspace(0, 1, levels)
    return grid[(x[..., None] - grid).abs().argmin(-1)]


def k_winners(x, *, share):
    result = torch.zeros_like(x)
    for image, kept in zip(x, result):
        count = max(1, round(share * image.numel()))
        last = image.flatten().sort(descending=True).values[count - 1]
        kept[image >= last] = image[image >= last]
    return result


def place(x, *, room):
    pages = []
    for image in x:
        top, left = int(torch.randint(0, room + 1, ())), int(torch.randint(0, room + 1, ()))
        pages.append(F.pad(image, (left, room - left, top, room - top)))
    return torch.stack(pages)


# RIGHT place: by other means, as float64, list or NumPy
def quantize(x, *, levels):
    return torch.floor(x.double() * (levels - 1) + 0.5) / (levels - 1)


def k_winners(x, *, share):
    rows = x.reshape(len(x), -1)
    order = rows.argsort(1, descending=True).argsort(1)
    return (rows * (order < max(1, round(share * rows.shape[1])))).reshape(x.shape).tolist()


def place(x, *, room):
    import random

    page = F.pad(x, (0, room, 0, room))
    moved = [page[i].roll((random.randint(0, room), random.randint(0, room)), (1, 2)) for i in range(len(x))]
    return torch.stack(moved).numpy()


# WRONG quantize: rounds down -> not the nearest
def quantize(x, *, levels):
    return (x * (levels - 1)).floor() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: one level too many -> more values|at most five
def quantize(x, *, levels):
    return (x * levels).round() / levels


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: bins, and divides by the number of levels -> between the levels|not the nearest
def quantize(x, *, levels):
    return (x * levels).floor().clamp(0, levels - 1) / levels


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: bins of equal width, ends stretched -> not the nearest
def quantize(x, *, levels):
    return (x * levels).floor().clamp(0, levels - 1) / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: numbers of levels, not values -> in [0, 1]
def quantize(x, *, levels):
    return (x * (levels - 1)).round()


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: the middles of bins -> between the levels
def quantize(x, *, levels):
    return ((x * levels).floor().clamp(0, levels - 1) + 0.5) / levels


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: always five levels -> more values|between the levels|not the nearest
def quantize(x, *, levels):
    return (x * 4).round() / 4


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: stretches to the brightest first -> not the nearest|stretched
def quantize(x, *, levels):
    x = x / x.max()
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: in place -> changed its arguments
def quantize(x, *, levels):
    return x.mul_(levels - 1).round_().div_(levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: decimals -> at most five|more values
def quantize(x, *, levels):
    return x.round(decimals=1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG quantize: nothing -> at most five
def quantize(x, *, levels):
    return x


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: winners of the whole batch -> in each image
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten()
    top = flat.topk(max(1, round(share * len(flat))))
    return torch.zeros_like(flat).scatter(0, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: winners of each channel or row -> all units of an image compete
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(2) if x.dim() > 2 else x
    top = flat.topk(max(1, round(share * flat.shape[-1])), dim=-1)
    return torch.zeros_like(flat).scatter(-1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: the largest in size, whatever the sign -> a loser was larger
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.abs().topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, flat.gather(1, top.indices)).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: ones for winners -> another value
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, torch.ones_like(top.values)).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: sizes of winners -> another value
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values.abs()).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: the smallest -> a loser was larger
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1, largest=False)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: negative winners are cut off -> number of winners|a tenth should be left|below 0 nothing is left
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values.relu()).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: none if the share is small -> number of winners|cannot
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(round(share * flat.shape[1]), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: the losers' share -> a tenth should be left
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round((1 - share) * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: all above a part of the largest -> a tenth should be left
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return (flat * (flat >= (1 - share) * flat.amax(1, keepdim=True))).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: forgets the shape -> another shape
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG k_winners: rounds down -> number of winners
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, int(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: one place for all -> same place
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    down, right = torch.randint(room + 1, (2,)).tolist()
    for i in range(n):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: always in the middle -> same place
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    down = right = room // 2
    for i in range(n):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: never at the far edge -> distances down
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(max(room, 1), (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: on the diagonal only -> not each with each
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 1)).expand(n, 2).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: sums of two draws, so the middle is likelier -> likelier than others|no image ever lies
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate((torch.rand(n, 2, 3).mean(2) * (room + 0.999)).long().tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: a grey page -> not black
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = 0.5 + torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: wraps around on a page of the same size -> another shape
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    return torch.stack([image.roll(tuple(torch.randint(room + 1, (2,)).tolist()), (1, 2)) for image in x])
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: wraps around on the page -> some of an image is lost|not whole
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i] = F.pad(x[i], (0, room, 0, room)).roll((down + 2, right + 2), (1, 2))
        continue
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# WRONG place: only the first channel -> not whole
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :1, down : down + height, right : right + width] = x[i, :1]
    return page


# WRONG place: rows and columns exchanged -> cannot|raised|not whole|another|The expanded
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, width + room, height + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[i]
    return page


# RIGHT worth: the mean loss, backward, cosine in float64, tensors as shares
def worth(model, x, y, *, eps, draws):
    def ask():
        images = x.detach().clone()
        images.requires_grad = True
        F.cross_entropy(model(images), y).backward()
        return images.grad.flatten(1)

    first, second = ask(), ask()
    cosine = F.cosine_similarity(first.double(), second.double(), dim=1, eps=1e-300)
    ahead = torch.clamp(x + eps * torch.sign(first).reshape(x.shape), 0, 1)
    before = torch.stack([margin(model(x), y).detach() for _ in range(draws)]).mean(0)
    after = torch.stack([margin(model(ahead), y).detach() for _ in range(draws)]).mean(0)
    return {
        "uphill": (after > before).double().mean(),
        "same": (cosine > 0.9).double().mean(),
        "not 0": (first != 0).any(1).double().mean(),
    }


# RIGHT worth: image by image counts, the margin by hand
def worth(model, x, y, *, eps, draws):
    def lead(images):
        total = 0
        for _ in range(draws):
            with torch.no_grad():
                logits = model(images)
            own = F.one_hot(y, logits.shape[1]).bool()
            total = total + logits.masked_fill(own, -torch.inf).amax(1) - logits[own]
        return total

    gradients = []
    for _ in range(2):
        images = x.clone().requires_grad_()
        loss = -model(images).log_softmax(1).gather(1, y[:, None]).sum()
        gradients.append(torch.autograd.grad(loss, images)[0])
    counts = {"not 0": 0, "same": 0, "uphill": 0}
    leads = zip(lead((x + eps * gradients[0].sign()).clamp(0, 1)), lead(x))
    for a, b, (after, before) in zip(*gradients, leads):
        a, b = a.flatten().double(), b.flatten().double()
        counts["not 0"] += bool((a != 0).any())
        counts["same"] += bool(a.norm() > 0 and b.norm() > 0 and a @ b > 0.9 * a.norm() * b.norm())
        counts["uphill"] += bool(after > before)
    return {name: count / len(x) for name, count in counts.items()}


# WRONG worth: cosine with its own floor -> still point the same way
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = gradients
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: asks once -> asked twice
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(1):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    gradients = gradients * 2
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: a gradient of 0 counts as the same -> same
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, (F.cosine_similarity(first, second) > 0.9) | (first == second).all(1), rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: gradients equal to the bit, or nearly -> same
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, torch.isclose(gradients[0], gradients[1]).all(1), rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: a threshold for 0 -> tiny, and not 0
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 1e-8, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: all entries must be other than 0 -> any of its entries
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = (gradients[0] != 0).all(1), F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the share of entries, not of images -> any of its entries
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0] != 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the batch as one gradient -> asked on its own|not 0
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax().view(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: at least as high -> uphill: another share for the quantised
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after >= before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the loss instead of the margin -> a higher loss is counted, and a higher margin
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = F.cross_entropy(model(ahead), y, reduction="none") > F.cross_entropy(model(x), y, reduction="none")
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: is wrong after the step -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = model(ahead).argmax(1) != y
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the margin of the prediction -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = margin(model(ahead), model(x).argmax(1)) > margin(model(x), model(x).argmax(1))
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: positive is enough -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = margin(model(ahead), y) > 0
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: down the gradient -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x - eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the gradient without its sign -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: no clamp -> the images leave [0, 1] after the step
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = x + eps * gradients[0].sign().view_as(x)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: random signs -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * torch.randn_like(gradients[0]).sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: counts instead of shares -> is no share|another share
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().sum().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: per cent -> is no share|another share
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {
        name: 100 * answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)
    }


# WRONG worth: the prediction's loss -> uphill
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(
            F.cross_entropy(model(images), model(images).argmax(1), reduction="sum"), images
        )
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: a tuple -> no such dictionary
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return tuple(answer.float().mean().item() for answer in yes)


# WRONG worth: two single draws -> judged by luck
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = margin(model(ahead), y) > margin(model(x), y)
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: one draw at the start -> judged by luck
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        rises = sum(margin(model(ahead), y) for _ in range(draws)) / draws > margin(model(x), y)
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: a hundred draws, whatever is asked -> more than one draw
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(100)) for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# RIGHT choose: all calls in one batch
def choose(model, x_adv, proposal, y, draws):
    n = len(y)
    with torch.no_grad():
        both = torch.cat([x_adv] * draws + [proposal] * draws)
        heights = margin(model(both), y.repeat(2 * draws)).view(2, draws, n).mean(1)
    result = x_adv.clone()
    result[heights[1] > heights[0]] = proposal[heights[1] > heights[0]]
    return result


# RIGHT choose: image by image in the end, margin by hand, a NumPy array
def choose(model, x_adv, proposal, y, draws):
    def height(images):
        total = torch.zeros(len(y), dtype=torch.float64)
        for _ in range(draws):
            logits = model(images).detach().double()
            own = F.one_hot(y, logits.shape[1]).bool()
            total += logits.masked_fill(own, -torch.inf).amax(1) - logits[own]
        return total

    old, new = height(x_adv), height(proposal)
    return torch.stack([b if after > before else a for a, b, before, after in zip(x_adv, proposal, old, new)]).numpy()


# WRONG choose: one draw each -> chosen by luck
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (margin(model(at), y) for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the old one asked once -> chosen by luck
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before = margin(model(x_adv), y)
        after = sum(margin(model(proposal), y) for _ in range(draws)) / draws
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: a hundred draws, whatever is asked -> better than one draw
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(100)) for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the lower margin -> the higher margin counts
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        after, before = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the margin of the predicted label -> that of y
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (
            sum(margin(model(at), model(x_adv).argmax(1)) for _ in range(draws)) for at in (x_adv, proposal)
        )
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the highest of the draws -> the best draws
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (torch.stack([margin(model(at), y) for _ in range(draws)]).amax(0) for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: half of the draws for each -> asked equally often|new calls|better than
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range((draws + 1) // 2)) for at in (x_adv, proposal))
    return torch.where((after > before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: one choice for all images -> all images of a batch are taken from the
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    return proposal if after.mean() > before.mean() else x_adv


# WRONG choose: the new one if both are equal -> equally good
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    return torch.where((after >= before).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the condition instead of the images -> another shape
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    return after > before


# WRONG choose: changes x_adv -> changed its arguments
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    x_adv[after > before] = proposal[after > before]
    return x_adv


# WRONG choose: the mean of the two images -> neither of the two
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        before, after = (sum(margin(model(at), y) for _ in range(draws)) for at in (x_adv, proposal))
    weight = (after > before).float().view(-1, *[1] * (x_adv.dim() - 1)) * 0.5 + 0.25
    return weight * proposal + (1 - weight) * x_adv


# RIGHT diagnose: intervals that do not overlap
def diagnose(report):
    def interval(pair):
        return Rate(*pair).interval

    if interval(report["not 0"])[1] < 0.9:
        return "vanishes"
    if interval(report["same"])[1] < 0.9:
        return "wanders"
    if interval(report["uphill"])[0] <= interval(report["random"])[1]:
        return "lies"
    low = interval(report["left"]["PGD"])[0]
    return "stuck" if min(interval(report["left"][a])[1] for a in ("Square", "transfer")) < low else "honest"


# RIGHT diagnose: a table of conditions
def diagnose(report):
    left = {attack: Rate(k, n) for attack, (k, n) in report["left"].items()}
    found = {
        "vanishes": max(Rate(*report["not 0"]).interval) < 0.9,
        "wanders": max(Rate(*report["same"]).interval) < 0.9,
        "lies": Rate(*report["uphill"]).lead(Rate(*report["random"])) <= 0,
        "stuck": left["PGD"].clearly_above(left["Square"]) or left["PGD"].clearly_above(left["transfer"]),
        "honest": True,
    }
    return next(word for word, applies in found.items() if applies)


# WRONG diagnose: asks whether it wanders first -> report B
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: does not ask whether it vanishes -> report B
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: does not ask whether it wanders -> report C
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: vanishes only if all are 0 -> report B|not 0
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].k == 0:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: vanishes only below a half -> 90 %
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.5:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: shares without their intervals -> at least 90 % of its gradients are not
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"] < 0.9:
        return "vanishes"
    if rates["same"] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: uphill on its own, above a half -> report A
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"] > 0.5:
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: uphill on its own, above 90 % -> its gradient leads uphill clearly more often than random
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not (rates["uphill"].interval[1] > 0.9):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: uphill above random, if only by chance -> report A
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not (rates["uphill"] > rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: lies only if clearly worse than random -> report A
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if rates["uphill"].clearly_below(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: looks at Square only -> transfer leaves clearly less
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: looks at transfer only -> Square leaves clearly less
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: both must be below PGD -> leaves clearly less
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) and rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: any lower rate is stuck -> neither Square nor transfer leaves clearly less than PGD
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"] < rates["PGD"] or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: stuck the other way round -> misjudged
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_above(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: attacks first -> report A|report B
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# WRONG diagnose: another word -> five words
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lie"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest"


# RIGHT through: a plain linear model, own loop, one step
def through(model, train_x, train_y, x, y, *, eps):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.Tanh(), nn.Linear(100, 10))
    optimizer = torch.optim.Adam(own.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        F.cross_entropy(own(train_x), train_y).backward()
        optimizer.step()
    images = x.clone().requires_grad_()
    margin(own(images), y).sum().backward()
    return (images.detach() + eps * images.grad.sign()).clamp(0, 1).double()


# RIGHT through: random search on the model's margin
def through(model, train_x, train_y, x, y, *, eps):
    best = (x + eps * torch.randn_like(x).sign()).clamp(0, 1)
    with torch.no_grad():
        highest = margin(model(best), y)
        for step in range(600):
            size = 3 if step < 200 else 2 if step < 400 else 1
            top, left = (int(torch.randint(9 - size, ())) for _ in range(2))
            trial = best.clone()
            square = slice(top, top + size), slice(left, left + size)
            signs = torch.randint(0, 2, (len(x), 1, 1, 1)) * 2.0 - 1
            trial[:, :, *square] = (x[:, :, *square] + eps * signs).clamp(0, 1)
            lead = margin(model(trial), y)
            higher = lead > highest
            best[higher], highest[higher] = trial[higher], lead[higher]
    return best


# WRONG through: the masked model's own gradient -> gradient that the mask hides
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = model
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: random signs -> Equal images of one label
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * torch.randn_like(gradient).sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: an own network that learned nothing -> still right
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = nn.Sequential(*layers)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: down the loss -> still right
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() - eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: no projection -> left the eps-ball
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(0, 1)
    return x_adv


# WRONG through: steps that do not reach the edge -> still right
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 60 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: no clamp to [0, 1] -> left [0, 1]
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps)
    return x_adv


# WRONG through: learns from mixed up labels -> still right
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y[torch.randperm(len(train_y))]), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG through: noise -> still right
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = fit(nn.Sequential(*layers), (train_x, train_y), lr=1e-2)
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return (x + eps * torch.randn_like(x).sign()).clamp(0, 1)


# WRONG through: undoes the scale, and knows only this one mask -> gradient that the mask hides
def through(model, train_x, train_y, x, y, *, eps):
    layers = [nn.Flatten(), nn.Linear(train_x[0].numel(), 100), nn.ReLU(), nn.Linear(100, int(train_y.max()) + 1)]
    own = lambda images: model(images) / 1000
    x_adv = x.clone()
    for _ in range(10):
        x_adv.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(own(x_adv), y, reduction="sum"), x_adv)
        x_adv = (x_adv.detach() + eps / 4 * gradient.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return x_adv


# WRONG choose: the margin of the mean logits -> which is not the margin of the mean logits|is not the mean of the margins
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a = margin(torch.stack([model(x_adv) for _ in range(draws)]).mean(0), y)
        b = margin(torch.stack([model(proposal) for _ in range(draws)]).mean(0), y)
    return torch.where((b > a).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG place: seeds itself -> set no seed
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    k = max(1, round(share * flat.shape[1]))
    top = flat.topk(k, dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view(x.shape)


def place(x, *, room):
    torch.manual_seed(0)
    n, c, h, w = x.shape
    page = torch.zeros(n, c, h + room, w + room)
    for i in range(n):
        a, b = torch.randint(room + 1, (2,)).tolist()
        page[i, :, a : a + h, b : b + w] = x[i]
    return page


# WRONG worth: the margin of the mean logits -> which is not the margin of the mean logits|is not the mean of the margins
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    def height(images):
        with torch.no_grad():
            return margin(sum(model(images) for _ in range(draws)) / draws, y)

    a, b = grad(), grad()
    sa, sb = (g.flatten(1) / g.flatten(1).abs().amax(1, keepdim=True).clamp(min=1e-38) for g in (a, b))
    step = (x + eps * a.sign()).clamp(0, 1)
    return {
        "not 0": (a != 0).flatten(1).any(1).float().mean().item(),
        "same": (F.cosine_similarity(sa, sb) > 0.9).float().mean().item(),
        "uphill": (height(step) > height(x)).float().mean().item(),
    }


# WRONG through: learns from the data of the notebook -> is all that you follow learned from train_x and train_y
def through(model, train_x, train_y, x, y, *, eps):
    own = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), data.train, lr=1e-2)
    adv = x.clone()
    for _ in range(10):
        adv = adv.detach().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(own(adv), y, reduction="sum"), adv)[0]
        adv = (adv.detach() + eps / 4 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return adv.detach()


# RIGHT through: a distilled copy of the masked model, attacked with momentum
def through(model, train_x, train_y, x, y, *, eps):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 150), nn.Tanh(), nn.Linear(150, 10))
    with torch.no_grad():
        said = model(train_x).argmax(1)
    opt = torch.optim.Adam(own.parameters(), lr=5e-3)
    for _ in range(150):
        opt.zero_grad()
        F.cross_entropy(own(train_x), said).backward()
        opt.step()
    adv, m = x.clone(), torch.zeros_like(x)
    for _ in range(15):
        leaf = adv.detach().requires_grad_()
        g = torch.autograd.grad(margin(own(leaf), y).sum(), leaf)[0]
        m = 0.9 * m + g / g.abs().flatten(1).mean(1).view(-1, 1, 1, 1).clamp(min=1e-12)
        adv = torch.clamp(leaf.detach() + eps / 5 * m.sign(), x - eps, x + eps).clamp(0, 1)
    return adv


# WRONG k_winners: winners below 0 are lost -> below 0 nothing is left
def k_winners(x, *, share):
    rows = x.flatten(1)
    k = max(1, round(share * rows.shape[1]))
    v, i = rows.topk(k, dim=1)
    return torch.zeros_like(rows).scatter(1, i, v.relu()).view_as(x)


# WRONG place: no place twice -> tells that of another
def place(x, *, room):
    n, c, h, w = x.shape
    page = x.new_zeros(n, c, h + room, w + room)
    order = torch.randperm((room + 1) ** 2)
    for k in range(n):
        i, j = divmod(int(order[k % len(order)]), room + 1)
        page[k, :, i : i + h, j : j + w] = x[k]
    return page


# WRONG worth: the second gradient after the step -> not after a step
def worth(model, x, y, *, eps, draws):
    def grad(z):
        z = z.detach().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    g = grad(x)
    step = (x + eps * g.sign()).clamp(0, 1)
    h = grad(step)

    def unit(v):
        v = v.flatten(1).double()
        return v / v.abs().amax(1, keepdim=True).clamp_min(1e-300)

    a, b = unit(g), unit(h)
    cos = F.cosine_similarity(a, b, dim=1)
    with torch.no_grad():
        before = sum(margin(model(x), y) for _ in range(draws)) / draws
        after = sum(margin(model(step), y) for _ in range(draws)) / draws
    return {
        "not 0": float((g != 0).flatten(1).any(1).float().mean()),
        "same": float((cos > 0.9).float().mean()),
        "uphill": float((after > before).float().mean()),
    }


# WRONG choose: a majority of draws -> votes, medians
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        wins = sum((margin(model(proposal), y) > margin(model(x_adv), y)).float() for _ in range(draws))
    c = (wins > draws / 2).view(-1, *[1] * (x_adv.dim() - 1))
    return torch.where(c, proposal, x_adv)


# WRONG diagnose: lies by a tenth -> not clearly more|are clear where
def diagnose(report):
    r = {k: Rate(*report[k]) for k in ("not 0", "same", "uphill", "random")}
    left = {k: Rate(*v) for k, v in report["left"].items()}
    if r["not 0"].interval[1] < 0.9:
        return "vanishes"
    if r["same"].interval[1] < 0.9:
        return "wanders"
    if r["uphill"].clearly_below(r["random"]) or r["uphill"].k < r["random"].k * 1.1:
        return "lies"
    if any(left[k].clearly_below(left["PGD"]) for k in ("Square", "transfer")):
        return "stuck"
    return "honest"


# WRONG through: half of the way, on the images to be attacked -> do not use the ball
def through(model, train_x, train_y, x, y, *, eps):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    net = fit(net, (x, y), updates=50)
    return attacks.fgsm(net, x, y, eps=eps / 2)


# RIGHT quantize: by the nearest of all levels
def quantize(x, *, levels):
    at = torch.linspace(0, 1, levels)
    return at[(x[..., None] - at).abs().argmin(-1)]


# RIGHT choose: both in one call
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        both = torch.stack([margin(model(torch.cat([x_adv, proposal])), torch.cat([y, y])) for _ in range(draws)]).mean(
            0
        )
    old, new = both.chunk(2)
    out = x_adv.clone()
    out[new > old] = proposal[new > old]
    return out


# WRONG k_winners: their number is rounded up -> rounded to the nearest
def k_winners(x, *, share):
    rows = x.flatten(1)
    k = max(1, math_ceil(share * rows.shape[1]))
    v, i = rows.topk(k, dim=1)
    return torch.zeros_like(rows).scatter(1, i, v).view_as(x)


def math_ceil(v):
    return -int(-v // 1)


# WRONG worth: the same signs -> above 0.9
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1)

    a, b = grad(), grad()
    some = (a != 0).any(1)
    same = ((a.sign() == b.sign()).float().mean(1) > 0.9) & some
    step = (x + eps * a.sign().view_as(x)).clamp(0, 1)
    with torch.no_grad():
        up = sum(margin(model(step), y) for _ in range(draws)) > sum(margin(model(x), y) for _ in range(draws))
    return {"not 0": some.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG worth: not lower is uphill -> has not risen
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1).double()

    a, b = grad(), grad()
    some = (a != 0).any(1)
    same = F.cosine_similarity(a * 1e30, b * 1e30, dim=1) > 0.9
    step = (x + eps * a.sign().view_as(x).float()).clamp(0, 1)
    with torch.no_grad():
        up = sum(margin(model(step), y) for _ in range(draws)) >= sum(margin(model(x), y) for _ in range(draws))
    return {"not 0": some.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG worth: the margin's gradient -> all images of a batch get one answer
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad(margin(model(z), y).sum(), z)[0].flatten(1).double()

    a, b = grad(), grad()
    some = (a != 0).any(1)
    same = F.cosine_similarity(a * 1e30, b * 1e30, dim=1) > 0.9
    step = (x + eps * a.sign().view_as(x).float()).clamp(0, 1)
    with torch.no_grad():
        up = sum(margin(model(step), y) for _ in range(draws)) > sum(margin(model(x), y) for _ in range(draws))
    return {"not 0": some.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG choose: the higher loss -> the higher cross-entropy
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a, b = (sum(F.cross_entropy(model(t), y, reduction="none") for _ in range(draws)) for t in (x_adv, proposal))
    return torch.where((b > a).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: how often the model is wrong -> not how often it is wrong
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a, b = (sum((model(t).argmax(1) != y).float() for _ in range(draws)) for t in (x_adv, proposal))
    return torch.where((b > a).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG diagnose: wanders first, where it is rarer -> nearly all of the gradients are 0|are not 0
def diagnose(report):
    r = {k: Rate(*report[k]) for k in ("not 0", "same", "uphill", "random")}
    left = {k: Rate(*v) for k, v in report["left"].items()}
    if r["same"].interval[1] < 0.9 and r["not 0"].k != r["same"].k:
        return "wanders"
    if r["not 0"].interval[1] < 0.9:
        return "vanishes"
    if not r["uphill"].clearly_above(r["random"]):
        return "lies"
    if any(left[k].clearly_below(left["PGD"]) for k in ("Square", "transfer")):
        return "stuck"
    return "honest"


# RIGHT place: by padding, with other random numbers
def place(x, *, room):
    import random

    out = []
    for image in x:
        i, j = random.randint(0, room), random.randint(0, room)
        out.append(F.pad(image, (j, room - j, i, room - i)))
    return torch.stack(out)


# WRONG worth: one cosine for all -> a cosine of its own
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1).double()

    a, b = grad(), grad()
    some = (a != 0).any(1)
    same = (F.cosine_similarity(a.flatten() * 1e30, b.flatten() * 1e30, dim=0) > 0.9).expand(len(x)) & (a != 0).any(1)
    step = (x + eps * a.sign().view_as(x).float()).clamp(0, 1)
    with torch.no_grad():
        up = sum(margin(model(step), y) for _ in range(draws)) > sum(margin(model(x), y) for _ in range(draws))
    return {"not 0": some.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG worth: downhill -> uphill is a higher margin
def worth(model, x, y, *, eps, draws):
    def grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0].flatten(1).double()

    a, b = grad(), grad()
    some = (a != 0).any(1)
    same = F.cosine_similarity(a * 1e30, b * 1e30, dim=1) > 0.9
    step = (x + eps * a.sign().view_as(x).float()).clamp(0, 1)
    with torch.no_grad():
        up = sum(margin(model(step), y) for _ in range(draws)) < sum(margin(model(x), y) for _ in range(draws))
    return {"not 0": some.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG choose: only where the model is wrong -> the model is right on both
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a, b = (sum(margin(model(t), y) for _ in range(draws)) for t in (x_adv, proposal))
    return torch.where(((b > a) & (b > 0)).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: the margin of what the model says -> whatever the model says
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a, b = (sum(margin(model(t), model(t).argmax(1)) for _ in range(draws)) for t in (x_adv, proposal))
    return torch.where((b > a).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG choose: a seed for both -> no seed is set|than one draw can tell
def choose(model, x_adv, proposal, y, draws):
    m = []
    with torch.no_grad():
        for t in (x_adv, proposal):
            torch.manual_seed(0)
            m.append(sum(margin(model(t), y) for _ in range(draws)))
    return torch.where((m[1] > m[0]).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG diagnose: lies before wanders -> what comes first
def diagnose(report):
    r = {k: Rate(*report[k]) for k in ("not 0", "same", "uphill", "random")}
    left = {k: Rate(*v) for k, v in report["left"].items()}
    if r["not 0"].interval[1] < 0.9:
        return "vanishes"
    if r["same"].interval[1] < 0.9 and r["uphill"].clearly_above(r["random"]):
        return "wanders"
    if not r["uphill"].clearly_above(r["random"]):
        return "lies"
    if any(left[k].clearly_below(left["PGD"]) for k in ("Square", "transfer")):
        return "stuck"
    return "honest"


# WRONG diagnose: 80 % -> clearly less than 90 %
def diagnose(report):
    r = {k: Rate(*report[k]) for k in ("not 0", "same", "uphill", "random")}
    left = {k: Rate(*v) for k, v in report["left"].items()}
    if r["not 0"].interval[1] < 0.8:
        return "vanishes"
    if r["same"].interval[1] < 0.8:
        return "wanders"
    if not r["uphill"].clearly_above(r["random"]):
        return "lies"
    if any(left[k].clearly_below(left["PGD"]) for k in ("Square", "transfer")):
        return "stuck"
    return "honest"


# WRONG diagnose: stuck where PGD is the lowest -> neither Square nor transfer leaves clearly less than PGD
def diagnose(report):
    r = {k: Rate(*report[k]) for k in ("not 0", "same", "uphill", "random")}
    left = {k: Rate(*v) for k, v in report["left"].items()}
    if r["not 0"].interval[1] < 0.9:
        return "vanishes"
    if r["same"].interval[1] < 0.9:
        return "wanders"
    if not r["uphill"].clearly_above(r["random"]):
        return "lies"
    if any(left["PGD"].clearly_below(left[k]) for k in ("Square", "transfer")):
        return "stuck"
    return "honest"


# WRONG through: away from other labels -> of the loss of y|still right
def through(model, train_x, train_y, x, y, *, eps):
    net = fit(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y), lr=1e-2
    )
    return attacks.pgd(net, x, (y + 1) % 10, eps=eps)


# WRONG worth: a higher loss in place of a higher margin -> a higher loss is counted, and a higher margin
def worth(model, x, y, *, eps, draws):
    def gradient():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    a, b = gradient(), gradient()
    fa, fb = a.flatten(1), b.flatten(1)
    fa = fa / fa.abs().amax(1, keepdim=True).clamp_min(1e-38)
    fb = fb / fb.abs().amax(1, keepdim=True).clamp_min(1e-38)
    with torch.no_grad():
        up = lambda z: sum(F.cross_entropy(model(z), y, reduction="none") for _ in range(draws)) / draws
        higher = up((x + eps * a.sign()).clamp(0, 1)) > up(x)
    return {
        "not 0": float((a.flatten(1) != 0).any(1).float().mean()),
        "same": float((F.cosine_similarity(fa, fb) > 0.9).float().mean()),
        "uphill": float(higher.float().mean()),
    }


# WRONG worth: the gradient itself, not its sign -> the step follows the gradient as long as it
def worth(model, x, y, *, eps, draws):
    def gradient():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    a, b = gradient(), gradient()
    fa, fb = a.flatten(1), b.flatten(1)
    fa = fa / fa.abs().amax(1, keepdim=True).clamp_min(1e-38)
    fb = fb / fb.abs().amax(1, keepdim=True).clamp_min(1e-38)
    with torch.no_grad():
        up = lambda z: sum(margin(model(z), y) for _ in range(draws)) / draws
        higher = up((x + eps * a).clamp(0, 1)) > up(x)
    return {
        "not 0": float((a.flatten(1) != 0).any(1).float().mean()),
        "same": float((F.cosine_similarity(fa, fb) > 0.9).float().mean()),
        "uphill": float(higher.float().mean()),
    }


# WRONG worth: one cosine for the whole batch -> all images of a batch get one answer
def worth(model, x, y, *, eps, draws):
    def gradient():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    a, b = gradient(), gradient()
    with torch.no_grad():
        up = lambda z: sum(margin(model(z), y) for _ in range(draws)) / draws
        higher = up((x + eps * a.sign()).clamp(0, 1)) > up(x)
    cos = F.cosine_similarity(a.flatten(), b.flatten(), dim=0)
    return {
        "not 0": float((a.flatten(1) != 0).any(1).float().mean()),
        "same": float(cos > 0.9),
        "uphill": float(higher.float().mean()),
    }


# WRONG worth: the margin of the prediction, written otherwise -> the margin is that of the prediction, and not
def worth(model, x, y, *, eps, draws):
    def gradient():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    a, b = gradient(), gradient()
    fa, fb = a.flatten(1), b.flatten(1)
    fa = fa / fa.abs().amax(1, keepdim=True).clamp_min(1e-38)
    fb = fb / fb.abs().amax(1, keepdim=True).clamp_min(1e-38)
    with torch.no_grad():
        t = predict(model, x)
        up = lambda z: sum(margin(model(z), t) for _ in range(draws)) / draws
        higher = up((x + eps * a.sign()).clamp(0, 1)) > up(x)
    return {
        "not 0": float((a.flatten(1) != 0).any(1).float().mean()),
        "same": float((F.cosine_similarity(fa, fb) > 0.9).float().mean()),
        "uphill": float(higher.float().mean()),
    }


# WRONG worth: in per cent -> not 0 is no share
def worth(model, x, y, *, eps, draws):
    def gradient():
        z = x.clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(z), y, reduction="sum"), z)[0]

    a, b = gradient(), gradient()
    fa, fb = a.flatten(1), b.flatten(1)
    fa = fa / fa.abs().amax(1, keepdim=True).clamp_min(1e-38)
    fb = fb / fb.abs().amax(1, keepdim=True).clamp_min(1e-38)
    with torch.no_grad():
        up = lambda z: sum(margin(model(z), y) for _ in range(draws)) / draws
        higher = up((x + eps * a.sign()).clamp(0, 1)) > up(x)
    return {
        "not 0": 100 * float((a.flatten(1) != 0).any(1).float().mean()),
        "same": 100 * float((F.cosine_similarity(fa, fb) > 0.9).float().mean()),
        "uphill": 100 * float(higher.float().mean()),
    }


# WRONG choose: one choice for the batch, by the mean -> all images of a batch are taken from the
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a = sum(margin(model(x_adv), y).mean() for _ in range(draws)) / draws
        b = sum(margin(model(proposal), y).mean() for _ in range(draws)) / draws
    return proposal if b > a else x_adv


# WRONG choose: the same seed for both -> with one draw the choice is better than one
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        torch.manual_seed(0)
        a = sum(margin(model(x_adv), y) for _ in range(draws)) / draws
        torch.manual_seed(0)
        b = sum(margin(model(proposal), y) for _ in range(draws)) / draws
    better = (b > a).view(-1, *[1] * (x_adv.dim() - 1))
    return torch.where(better, proposal, x_adv)


# WRONG through: a network that has not learned -> many pixels move the wrong way
def through(model, train_x, train_y, x, y, *, eps):
    own = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(own(w), y), w)[0]
        z = (z + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG through: down the loss, written otherwise -> the loss of y fell
def through(model, train_x, train_y, x, y, *, eps):
    own = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y))
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(own(w), y), w)[0]
        z = (z - eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG through: up the loss of the prediction -> fooled only at times
def through(model, train_x, train_y, x, y, *, eps):
    own = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y))
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        out = own(w)
        g = torch.autograd.grad(F.cross_entropy(out, out.argmax(1)), w)[0]
        z = (z + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# WRONG through: shuffled labels -> many pixels move the wrong way
def through(model, train_x, train_y, x, y, *, eps):
    own = fit(
        nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)),
        (train_x, train_y[torch.randperm(len(train_y))]),
    )
    z = x.clone()
    for _ in range(20):
        w = z.detach().clone().requires_grad_()
        g = torch.autograd.grad(F.cross_entropy(own(w), y), w)[0]
        z = (z + eps / 5 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
    return z


# RIGHT choose: adds up the differences
def choose(model, x_adv, proposal, y, draws):
    gain = torch.zeros(len(y), dtype=torch.float64)
    with torch.no_grad():
        for _ in range(draws):
            gain += margin(model(proposal), y).double() - margin(model(x_adv), y).double()
    keep = (gain <= 0).reshape([-1] + [1] * (x_adv.dim() - 1))
    return keep * x_adv + ~keep * proposal


# RIGHT place: by index arithmetic
def place(x, *, room):
    n, c, h, w = x.shape
    page = x.new_zeros(n, c, h + room, w + room)
    down, right = torch.randint(0, room + 1, (2, n))
    rows = down[:, None] + torch.arange(h)
    cols = right[:, None] + torch.arange(w)
    number = torch.arange(n)[:, None, None]
    for q in range(c):
        page[number, q, rows[:, :, None], cols[:, None, :]] = x[:, q]
    return page


# WRONG worth: a cosine of -1 is the same -> point in opposite ways
def worth(model, x, y, *, eps, draws):
    def gradient():
        images = x.clone().requires_grad_()
        loss = F.cross_entropy(model(images), y, reduction="sum")
        return torch.autograd.grad(loss, images)[0].flatten(1)

    def mean_margin(images):
        with torch.no_grad():
            return sum(margin(model(images), y) for _ in range(draws)) / draws

    g1, g2 = gradient(), gradient()
    not0 = (g1 != 0).any(1)
    u1 = g1 / g1.abs().amax(1, keepdim=True).clamp_min(1e-44)
    u2 = g2 / g2.abs().amax(1, keepdim=True).clamp_min(1e-44)
    same = F.cosine_similarity(u1, u2).abs() > 0.9
    ahead = (x + eps * g1.sign().view_as(x)).clamp(0, 1)
    up = mean_margin(ahead) > mean_margin(x)
    return {"not 0": not0.float().mean().item(), "same": same.float().mean().item(), "uphill": up.float().mean().item()}


# WRONG choose: the median for the old, the mean for the new -> means are compared
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        old = torch.stack([margin(model(x_adv), y) for _ in range(draws)]).median(0).values
        new = sum(margin(model(proposal), y) for _ in range(draws)) / draws
    mask = (new > old).view(-1, *[1] * (x_adv.dim() - 1))
    return torch.where(mask, proposal, x_adv)


# WRONG diagnose: wanders by the share uphill -> are the same again, up to chance
def diagnose(report):
    if Rate(*report["not 0"]).interval[1] < 0.9:
        return "vanishes"
    if Rate(*report["uphill"]).interval[1] < 0.9:
        return "wanders"
    if not Rate(*report["uphill"]).clearly_above(Rate(*report["random"])):
        return "lies"
    pgd = Rate(*report["left"]["PGD"])
    if Rate(*report["left"]["Square"]).clearly_below(pgd) or Rate(*report["left"]["transfer"]).clearly_below(pgd):
        return "stuck"
    return "honest"


# WRONG k_winners: the winners in front, in their order -> in other places
def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.cat([top.values, torch.zeros(len(x), flat.shape[1] - top.values.shape[1])], 1).view_as(x)


# WRONG place: the last image on all pages -> each page shows an image of its own
def place(x, *, room):
    n, channels, height, width = x.shape
    page = torch.zeros(n, channels, height + room, width + room)
    for i, (down, right) in enumerate(torch.randint(room + 1, (n, 2)).tolist()):
        page[i, :, down : down + height, right : right + width] = x[-1]
    return page


# WRONG worth: the eps of the notebook -> take the eps that is given
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + 0.04 * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) / draws for at in (ahead, x))
        rises = after > before
    yes = gradients[0].abs().amax(1) > 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG worth: the sum of the entries is not 0 -> where they add up to 0
def worth(model, x, y, *, eps, draws):
    gradients = []
    for _ in range(2):
        images = x.detach().clone().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)
        gradients.append(gradient.flatten(1))
    first, second = (gradient / gradient.abs().amax(1, keepdim=True).clamp_min(1e-38) for gradient in gradients)
    with torch.no_grad():
        ahead = (x + eps * gradients[0].sign().view_as(x)).clamp(0, 1)
        after, before = (sum(margin(model(at), y) for _ in range(draws)) / draws for at in (ahead, x))
        rises = after > before
    yes = gradients[0].sum(1) != 0, F.cosine_similarity(first, second) > 0.9, rises
    return {name: answer.float().mean().item() for name, answer in zip(("not 0", "same", "uphill"), yes, strict=True)}


# WRONG diagnose: the rates besides -> not one of the five words
def diagnose(report):
    rates = {name: Rate(*pair) for name, pair in (report | report["left"]).items() if name != "left"}
    if rates["not 0"].interval[1] < 0.9:
        return "vanishes"
    if rates["same"].interval[1] < 0.9:
        return "wanders"
    if not rates["uphill"].clearly_above(rates["random"]):
        return "lies"
    if rates["Square"].clearly_below(rates["PGD"]) or rates["transfer"].clearly_below(rates["PGD"]):
        return "stuck"
    return "honest", rates


# WRONG choose: the sum for the new one -> with four draws another image is taken
def choose(model, x_adv, proposal, y, draws):
    with torch.no_grad():
        a = sum(margin(model(x_adv), y) for _ in range(draws)) / draws
        b = sum(margin(model(proposal), y) for _ in range(draws))
    return torch.where((b > a).view(-1, *[1] * (x_adv.dim() - 1)), proposal, x_adv)


# WRONG through: away from class 0, whatever y is -> for a label of its own
def through(model, train_x, train_y, x, y, *, eps):
    d = train_x[0].numel()
    torch.manual_seed(0)
    own = fit(nn.Sequential(nn.Flatten(), nn.Linear(d, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y))
    own.eval()
    now = x.clone()
    for _ in range(20):
        now = now.detach().requires_grad_()
        (g,) = torch.autograd.grad(margin(own(now), torch.zeros_like(y)).sum(), now)
        now = now.detach() + eps / 5 * g.sign()
        now = (x + (now - x).clamp(-eps, eps)).clamp(0, 1)
    return now


# WRONG worth: a norm that is 0 for tiny gradients -> though their squares are
def worth(model, x, y, *, eps, draws):
    def grad():
        images = x.detach().clone().requires_grad_()
        return torch.autograd.grad(F.cross_entropy(model(images), y, reduction="sum"), images)[0].flatten(1).double()

    def height(images):
        with torch.no_grad():
            return torch.stack([margin(model(images), y) for _ in range(draws)]).mean(0)

    first, second = grad(), grad()

    def unit(g):
        g = g / g.abs().amax(1, keepdim=True).clamp_min(1e-300)
        return g / g.norm(dim=1, keepdim=True).clamp_min(1e-300)

    cosine = (unit(first) * unit(second)).sum(1)
    moved = (x + eps * first.sign().float().view_as(x)).clamp(0, 1)
    return {
        "not 0": float((first.float().norm(dim=1) > 0).double().mean()),
        "same": float((cosine > 0.9).double().mean()),
        "uphill": float((height(moved) > height(x)).double().mean()),
    }


# WRONG through: an image stops where the own network is wrong -> some images stop on their way
def through(model, train_x, train_y, x, y, *, eps):
    net = fit(nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10)), (train_x, train_y))
    x_adv = x.clone()
    for _ in range(30):
        z = x_adv.clone().requires_grad_()
        out = net(z)
        (g,) = torch.autograd.grad(F.cross_entropy(out, y, reduction="sum"), z)
        right = (out.argmax(1) == y).view(-1, 1, 1, 1)
        new = (x_adv + eps / 12 * g.sign()).clamp(x - eps, x + eps).clamp(0, 1)
        x_adv = torch.where(right, new, x_adv)
    return x_adv


# WRONG place: images are taken for square -> higher than wide
def quantize(x, *, levels):
    return (x * (levels - 1)).round() / (levels - 1)


def k_winners(x, *, share):
    flat = x.flatten(1)
    top = flat.topk(max(1, round(share * flat.shape[1])), dim=1)
    return torch.zeros_like(flat).scatter(1, top.indices, top.values).view_as(x)


def place(x, *, room):
    n, channels, size = x.shape[:3]
    page = x.new_zeros(n, channels, size + room, size + room)
    for i in range(n):
        down, right = torch.randint(0, room + 1, (2,)).tolist()
        page[i, :, down : down + size, right : right + size] = x[i]
    return page


# WRONG through: steps along a gradient of length 1 -> let only the sign of the gradient count
def through(model, train_x, train_y, x, y, *, eps):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    net = fit(net, (train_x, train_y))
    x_adv = x.clone()
    for _ in range(20):
        probe = x_adv.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(net(probe), y, reduction="sum"), probe)
        gradient = gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
        x_adv = torch.min(torch.max(x_adv + eps / 8 * gradient, x - eps), x + eps).clamp(0, 1)
    return x_adv
